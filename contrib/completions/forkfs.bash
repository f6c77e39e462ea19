# Completion of forkfs(8) for bash.

_forkfs()
{
    local current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    local options='ro allow_other uid= gid= umask= drain_timeout= jobs= log_level= max_forks= metadata=
        op_timeout= refresh= storage='

    # bash splits words at "=": "log_level=" and its value are separate words then.
    if [[ $previous == "=" && ${COMP_WORDS[COMP_CWORD - 2]} == *log_level ]] ||
        [[ $current == "=" && $previous == *log_level ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "${current#=}")
        return
    fi
    if [[ $previous == -o ]]; then
        # Options are joined by commas; complete the last one.
        local head=
        [[ $current == *,* ]] && head=${current%,*},
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -P "$head" -W "$options" -- "${current##*,}")
        return
    fi
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-d -f -h -o -V' -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
    compopt -o filenames
}

complete -F _forkfs forkfs
