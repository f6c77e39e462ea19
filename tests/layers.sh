#!/bin/sh
# Each layer may include only those that stand before it in this list; src/ itself is the last one.
# Usage: layers.sh; $srcdir is the top of the sources (default: .).
set -u

top=${srcdir:-.}
layers='base store lance catalog fs'
failed=0
allowed=

# check_layer LAYER FILE...: includes of LAYER's files are within $allowed.
check_layer() {
    layer=$1
    shift
    # Lines "file:number:#include "layer/header.h"".
    wrong=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[a-z_]+/' "$@" /dev/null |
        grep -vE "include[[:space:]]*\"($allowed)/")
    if [ -n "$wrong" ]; then
        echo "$layer includes a layer that it must not know:"
        echo "$wrong"
        failed=1
    fi
}

for layer in $layers; do
    allowed=${allowed:+$allowed|}$layer
    set -- "$top/src/$layer"/*.[ch]
    if [ ! -e "$1" ]; then
        echo "no sources in $top/src/$layer"
        failed=1
        continue
    fi
    check_layer "$layer" "$@"
    if [ "$layer" != fs ] && grep -nE '#[[:space:]]*include[[:space:]]*<fuse' "$@"; then
        echo "$layer must not know FUSE"
        failed=1
    fi
done
exit "$failed"
