# Completion of forkfs(8) for bash.

_forkfs()
{
    local current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    local options='ro allow_other uid= gid= umask= confirm_drop drain_timeout= op_timeout= max_forks=
        default_ttl= sweep_interval= refresh= write_buffer= jobs= log_level= log_level_file= metadata=
        storage= endpoint= region= profile= path_style ca_file= s3_client= local_metadata= single_writer'

    # bash splits words at "=": "log_level=" and its value are separate words then.
    if [[ $current == "=" || $previous == "=" && $current != *,* ]]; then
        local option=$previous
        [[ $previous == "=" ]] && option=${COMP_WORDS[COMP_CWORD - 2]}
        if [[ $option == *log_level ]]; then
            mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "${current#=}")
        elif [[ $option == *s3_client ]]; then
            mapfile -t COMPREPLY < <(compgen -W 'libs3 curl' -- "${current#=}")
        elif [[ $option == *ca_file || $option == *log_level_file ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "${current#=}")
        elif [[ $option == *local_metadata ]]; then
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -d -- "${current#=}")
        fi
    elif [[ $previous == -o || $previous == "=" ]]; then
        # Options are joined by commas; complete the last one.
        local head=
        [[ $current == *,* ]] && head=${current%,*},
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -P "$head" -W "$options" -- "${current##*,}")
    elif [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-d -f -h --help -o -V --version' -- "$current")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    fi
}

complete -F _forkfs forkfs
