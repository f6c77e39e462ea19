#!/bin/sh
# Each layer of src/ includes headers of itself and of the layers before it only; and nothing in src/
# reaches into tools/ or tests/. FUSE is known from the fs layer on. Usage: include_direction.sh [SOURCE_DIRECTORY]
set -u
layers="base store lance catalog fs"
source=${1:-${srcdir:-.}}

[ -d "$source/src/base" ] || {
    echo "no sources in $source" >&2
    exit 99
}

# The folders that the C files and headers of $1 include, with the place: FILE:LINE FOLDER
included_folders()
{
    find "$1" -name '*.[ch]' -exec grep -nH '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} + |
        sed -n 's|^\([^:]*:[0-9]*\):[^"]*"\([^"]*\)".*|\1 \2|p' |
        while read -r place header; do
            case $header in
            */*) echo "$place ${header%%/*}" ;;
            manifest.pb-c.h | config.h) ;; # generated
            *) echo "$place (none)" ;;
            esac
        done
}

violations=$(
    allowed=" "
    for layer in $layers; do
        allowed="$allowed$layer "
        [ -d "$source/src/$layer" ] || continue
        included_folders "$source/src/$layer" | while read -r place folder; do
            case $allowed in
            *" $folder "*) ;;
            *) echo "$place: src/$layer must not include from $folder" ;;
            esac
        done
        [ "$layer" = fs ] || grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<(fuse|fuse3/)' \
            "$source/src/$layer"
    done
)
if [ -n "$violations" ]; then
    echo "$violations"
    exit 1
fi
