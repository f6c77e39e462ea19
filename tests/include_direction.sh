#!/bin/sh
# Includes go down: each file of src/ includes headers of its own room and of rooms before it; of another layer only
# what is public; FUSE comes in by one header; no two files need each other; each room says what lives in it.
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
catalog/care/
fs/
fs/tree/
fs/content/
fs/state/
fs/operations/
fs/session.c
program/
"

# What other layers may include; of base and lance everything. What joins the list joins it on purpose.
public="
store/store.h
store/local/local_store.h
store/local/local_watch.h
store/local/routed_store.h
store/s3/s3_store.h
store/s3/old_probes.h
store/s3/wire/s3_endpoint.h
store/s3/wire/s3_wire.h
store/s3/credentials/s3_profile.h
catalog/catalog.h
catalog/care/caretaker.h
catalog/change_list.h
catalog/format/fork_name.h
catalog/format/layout.h
catalog/fsck/fsck.h
catalog/registry/fork_entry.h
catalog/registry/registry.h
fs/session.h
"

[ -d "$source/src" ] || {
    echo "no sources in $source" >&2
    exit 99
}

# The includes of all sources: FILE LINE HEADER, or FILE LINE <HEADER>; paths are those below src.
includes()
{
    (cd "$source/src" && find . -name '*.[ch]' ! -name '*.pb-c.*' -exec grep -nH '^[[:space:]]*#[[:space:]]*include' {} +) |
        sed -n 's|^\./\([^:]*\):\([0-9]*\):[^"<]*"\([^"]*\)".*|\1 \2 \3|p
            s|^\./\([^:]*\):\([0-9]*\):[^"<]*<\(fuse[^>]*\)>.*|\1 \2 <\3>|p'
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
        $3 == "config.h" || $3 == "manifest.pb-c.h" { next } # generated
        $3 ~ /^</ {
            if ($1 != "fs/fuse.h")
                print "src/" $1 ":" $2 ": only fs/fuse.h includes " $3
            next
        }
        !rank($1) { print "src/" $1 ": is in no room"; next }
        !rank($3) { print "src/" $1 ":" $2 ": " $3 " is in no room"; next }
        rank($3) > rank($1) { print "src/" $1 ":" $2 ": " $3 " is above" }
        layer($1) != layer($3) && layer($3) !~ /^(base|lance)\/$/ && !is_public[$3] {
            print "src/" $1 ":" $2 ": " $3 " is private to its layer"
        }'
}

rooms_without_a_word()
{
    (cd "$source" && find src -mindepth 1 -type d ! -name '.*' ! -exec test -e '{}/README.md' ';' -print) |
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

circles()
{
    needs "$@" | tsort 2>&1 >/dev/null | sed 's/^tsort: -: input contains a loop:/these need each other:/; s/^tsort: /  /'
}

for library in "$@"; do
    [ -e "$library" ] || {
        echo "$library is not built" >&2
        exit 99
    }
done
found=$(wrong_includes && rooms_without_a_word && circles "$@")
[ -z "$found" ] || {
    echo "$found"
    exit 1
}
