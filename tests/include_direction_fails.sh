#!/bin/sh
# include_direction.sh finds what it is there for: small trees, each with one fault, and one without.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 99
trap 'rm -rf "$tree"' EXIT
compiler=${CC:-cc}
failed=0

# write FILE LINE...: a source file below the tree's src.
write()
{
    file=$tree/src/$1
    mkdir -p "${file%/*}"
    shift
    printf '%s\n' "$@" >"$file"
    echo 'A room.' >"${file%/*}/README.md"
}

# build FILE...: a library of these sources, each an object.
build()
{
    rm -f "$tree"/*.o "$tree/library.a"
    for name in "$@"; do
        $compiler -I "$tree/src" -c -o "$tree/$(basename "$name" .c).o" "$tree/src/$name" || exit 99
    done
    ar rc "$tree/library.a" "$tree"/*.o || exit 99
}

begin()
{
    rm -rf "$tree/src"
    write base/error.h ''
    write base/one.c '#include "base/error.h"' 'int two(void); int one(void); int one(void) { return two(); }'
    write base/two.c 'int two(void); int two(void) { return 2; }'
    write fs/fuse.h '#include <fuse_lowlevel.h>'
    build base/one.c base/two.c
}

# expect STATUS TEXT WHAT: the tree as it is gives that status, and a line with that text.
expect()
{
    output=$(sh "$here/include_direction.sh" "$tree" "$tree/library.a" 2>&1)
    status=$?
    if [ "$status" = "$1" ] && printf '%s\n' "$output" | grep -Fq -- "$2"; then
        echo "ok: $3"
    else
        echo "FAILED: $3: status $status, said: $output"
        failed=1
    fi
}

begin
expect 0 '' 'a tree without fault'

write base/up.c '#include "store/store.h"'
expect 1 'src/base/up.c:1: store/store.h is above' 'a layer that includes from a layer above'

begin
write catalog/format/up.c '' '#include "catalog/registry/registry.h"'
expect 1 'src/catalog/format/up.c:2: catalog/registry/registry.h is above' 'a room that includes from a room above'

begin
write catalog/sharing/up.c '#  include "catalog/catalog_private.h"'
expect 1 'catalog/catalog_private.h is above' 'a room below the face that knows the whole catalog'

begin
write fs/tree/private.c '#include "catalog/fork/tags.h"'
expect 1 'catalog/fork/tags.h is private to its layer' 'a layer that includes what is not public'

begin
write catalog/attic/stray.c '#include "base/error.h"' '#include "catalog/attic/stray.h"'
write garage/stray.c '#include "base/error.h"'
write base/stray.c '#include "unit/stores/memory_store.h"'
expect 1 'src/garage/stray.c: is in no room' 'a layer that nobody has named'
expect 1 'src/catalog/attic/stray.c: is in no room' 'a room that nobody has named'
expect 1 'unit/stores/memory_store.h is in no room' 'a source that includes from the tests'

begin
write fs/session.c '#include <fuse_lowlevel.h>'
expect 1 'only fs/fuse.h includes <fuse_lowlevel.h>' 'a second place that selects the interface of FUSE'

begin
rm "$tree/src/base/README.md"
expect 1 'src/base: has no README.md' 'a room that does not say what lives in it'

begin
write base/two.c 'int one(void); int two(void); int two(void) { return one(); }'
build base/one.c base/two.c
expect 1 'these need each other' 'two files that need each other'

rm "$tree/library.a"
expect 99 'is not built' 'a library that is missing'
exit $failed
