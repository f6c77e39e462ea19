#!/bin/sh
# Includes go down: each file of src/ includes headers of its own room and of rooms before it; of another layer only
# what is public, which holds for tools/, too; FUSE comes in by one header; no two files need each other, neither
# headers nor objects; each room says what lives in it.
# Usage: include_direction.sh [SOURCE_DIRECTORY [LIBRARY...]]; the libraries are those built from src.
set -u
source=${1:-${srcdir:-.}}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- libforkfs.a libforkfs-fs.a libforkfs-program.a

# From the ground up: a room is the files of one folder, or a single file.
rooms="
base/
store/
store/local/
store/s3/credentials/
store/s3/wire/
store/s3/
lance/
catalog/format/
catalog/registry/
catalog/sharing/
catalog/uni/
catalog/fork_point/
catalog/fork/
catalog/fsck/
catalog/
catalog/change/
catalog/edit/
catalog/recovery/
catalog/repair/
catalog/care/
fs/
fs/tree/
fs/content/
fs/state/
fs/operations/
fs/session.c
program/
tools/
"

# What other layers may include; of base, lance and program everything. What joins the list joins it on purpose.
public="
store/store.h
store/preview_store.h
store/local/local_store.h
store/local/local_watch.h
store/local/routed_store.h
store/s3/s3_store.h
store/s3/wire/s3_endpoint.h
store/s3/wire/s3_wire.h
store/s3/credentials/s3_profile.h
catalog/catalog.h
catalog/care/caretaker.h
catalog/change_list.h
catalog/format/fork_name.h
catalog/fork/overlays.h
catalog/fork/tags.h
catalog/format/layout.h
catalog/fsck/fsck.h
catalog/registry/fork_entry.h
catalog/registry/registry.h
catalog/repair/repair.h
catalog/sharing/holders.h
fs/session.h
"

[ -d "$source/src" ] || {
    echo "no sources in $source" >&2
    exit 99
}

# All that is looked at: paths below src/, and tools/.
sources()
{
    (cd "$source/src" && find . -name '*.[ch]' ! -name '*.pb-c.*' | sed 's|^\./||')
    [ ! -d "$source/tools" ] || (cd "$source" && find tools -name '*.[ch]')
}

# matching EXPRESSION: the lines of all sources that do, as grep -nH shows them.
matching()
{
    (cd "$source/src" && find . -name '*.[ch]' ! -name '*.pb-c.*' -exec grep -nHE "$1" {} + | sed 's|^\./||')
    [ ! -d "$source/tools" ] || (cd "$source" && find tools -name '*.[ch]' -exec grep -nHE "$1" {} +)
}

# The directives of all sources that include: FILE LINE HEADER. Headers of the system that matter here keep their <>;
# HEADER is "?" where a directive does not spell one out.
includes()
{
    matching '(#|%:|\?\?=)[[:space:]]*(include|include_next|import)\>' | sed -n 's|^\([^:]*\):\([0-9]*\):[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*|\1 \2 \3|p;t
        s|^\([^:]*\):\([0-9]*\):[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)>.*|\1 \2 <\3>|p;t
        s|^\([^:]*\):\([0-9]*\):.*|\1 \2 ?|p' |
        while read -r file line header; do
            name=${header#<}
            name=${name%>}
            # Our own, however it is quoted.
            if [ "$name" != "$header" ] && [ -e "$source/src/$name" ]; then
                header=$name
            fi
            printf '%s %s %s\n' "$file" "$line" "$header"
        done
}

wrong_includes()
{
    includes | awk -v rooms="$rooms" -v public="$public" '
        BEGIN {
            for (i = split(rooms, room); i > 0; i--)
                place[room[i]] = i
            split(public, list)
            for (i in list)
                is_public[list[i]] = 1
        }
        function rank(path,    folder) {
            folder = path
            sub(/[^\/]*$/, "", folder)
            return path in place ? place[path] : place[folder]
        }
        function layer(path) { return substr(path, 1, index(path, "/")) }
        function shown(path) { return path ~ /^tools\// ? path : "src/" path }
        $3 == "config.h" || $3 == "manifest.pb-c.h" { next } # generated
        $3 == "?" { print shown($1) ":" $2 ": does not say what it includes"; next }
        $3 ~ /^<.*fuse/ {
            if ($1 != "fs/fuse.h")
                print shown($1) ":" $2 ": only fs/fuse.h includes " $3
            next
        }
        $3 ~ /^</ { next }
        !rank($1) { next }
        !rank($3) { print shown($1) ":" $2 ": " $3 " is in no room"; next }
        $3 ~ /\.h$/ && $1 == $3 { print shown($1) ":" $2 ": includes itself"; next }
        rank($3) > rank($1) { print shown($1) ":" $2 ": " $3 " is above" }
        layer($1) != layer($3) && layer($3) !~ /^(base|lance|program)\/$/ && !is_public[$3] {
            print shown($1) ":" $2 ": " $3 " is private to its layer"
        }'
}

files_in_no_room()
{
    sources | while read -r file; do
        folder=${file%"${file##*/}"}
        case $rooms in
        *"
$folder
"*) ;;
        *) echo "src/$file: is in no room" ;;
        esac
    done
}

# A name in the list of what is public that nothing has any more.
stale_public_headers()
{
    for header in $public; do
        [ -e "$source/src/$header" ] || echo "the list of public headers has $header, which does not exist"
    done
}

second_interface_of_fuse()
{
    matching 'define[[:space:]]*FUSE_USE_VERSION' | grep -v '^fs/fuse\.h:' |
        sed 's|^\([^:]*:[0-9]*\):.*|src/\1: only fs/fuse.h selects the interface of FUSE|'
}

rooms_without_a_word()
{
    (cd "$source" && find src -mindepth 1 -type d ! -name '.*' ! -exec test -s '{}/README.md' ';' -print) |
        sed 's|$|: has no README.md that says what lives here|'
}

# Which object needs which: NEEDS NEEDED, one pair a line.
needs()
{
    nm -A "$@" | awk '
        NF < 3 { next }
        { object = $1; sub(/:[^:]*$/, "", object); type = $(NF - 1); name = $NF }
        type ~ /^[TDBRCVW]$/ { home[name] = object }
        type == "U" { wants[object SUBSEP name] = 1 }
        END {
            for (key in wants) {
                split(key, pair, SUBSEP)
                if (pair[2] in home && home[pair[2]] != pair[1])
                    print pair[1], home[pair[2]]
            }
        }'
}

# Pairs on the standard input.
circles()
{
    tsort 2>&1 >/dev/null | sed 's/^tsort: -: input contains a loop:/these need each other:/; s/^tsort: /  /'
}

# One would be taken for the other.
namesakes()
{
    for library; do
        ar t "$library" | sort | uniq -d | sed "s|^|$library has two objects of the name |"
    done
}

for library in "$@"; do
    [ -e "$library" ] || {
        echo "$library is not built" >&2
        exit 99
    }
done
found=$(
    wrong_includes
    files_in_no_room
    stale_public_headers
    second_interface_of_fuse
    rooms_without_a_word
    namesakes "$@"
    needs "$@" | circles
    includes | awk '$1 ~ /\.h$/ && $3 ~ /^[^<].*\.h$/ && $1 != $3 { print $1, $3 }' | circles
)
[ -z "$found" ] || {
    echo "$found"
    exit 1
}
