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
    rm -rf "$tree/src" "$tree/tools"
    for header in $(sed -n '/^public="/,/^"/{/"/!p}' "$here/include_direction.sh"); do
        write "$header" ''
    done
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
write fs/tree/private.c '#include "catalog/fork/ref_cache.h"'
write catalog/fork/ref_cache.h ''
expect 1 'catalog/fork/ref_cache.h is private to its layer' 'a layer that includes what is not public'

begin
write catalog/attic/stray.c '' # includes nothing
write garage/stray.c '#include "base/error.h"'
write base/stray.c '#include "unit/stores/memory_store.h"'
expect 1 'src/garage/stray.c: is in no room' 'a layer that nobody has named'
expect 1 'src/catalog/attic/stray.c: is in no room' 'a room that nobody has named'
expect 1 'unit/stores/memory_store.h is in no room' 'a source that includes from the tests'

begin
write fs/session.c '#include <fuse_lowlevel.h>'
expect 1 'only fs/fuse.h includes <fuse_lowlevel.h>' 'a second place that selects the interface of FUSE'

write fs/tree/other.c '#include </usr/include/fuse3/fuse.h>' '# define FUSE_USE_VERSION 30'
expect 1 'only fs/fuse.h includes </usr/include/fuse3/fuse.h>' 'FUSE by another path'
expect 1 'src/fs/tree/other.c:2: only fs/fuse.h selects' 'another version of FUSE'

begin
write fs/tree/private.c '#include <catalog/fork/ref_cache.h>'
write catalog/fork/ref_cache.h ''
expect 1 'catalog/fork/ref_cache.h is private to its layer' 'our own header in angle brackets'

begin
write base/hidden.c '#define HEADER "store/store.h"' '#include HEADER'
expect 1 'src/base/hidden.c:2: does not say what it includes' 'an include by a macro'

begin
write base/hidden.c '/* why */ #include "store/store.h"'
expect 1 'src/base/hidden.c:1: does not say what it includes' 'an include behind a comment'

begin
mkdir -p "$tree/tools"
echo '#include "catalog/catalog_private.h"' >"$tree/tools/tool.c"
write catalog/catalog_private.h ''
expect 1 'tools/tool.c:1: catalog/catalog_private.h is private' 'a tool that includes what is not public'

begin
write base/one.h '#include "base/two.h"'
write base/two.h '#include "base/one.h"'
expect 1 'these need each other' 'two headers that need each other'

begin
write base/self.h '#include "base/self.h"'
expect 1 'base/self.h:1: includes itself' 'a header that needs itself'

begin
rm "$tree/src/catalog/catalog.h"
expect 1 'has catalog/catalog.h, which does not exist' 'a public header that is gone'

begin
rm "$tree/src/base/README.md"
expect 1 'src/base: has no README.md' 'a room that does not say what lives in it'
: >"$tree/src/base/README.md"
expect 1 'src/base: has no README.md' 'a room that says nothing'

begin
write base/two.c 'int one(void); int two(void); int two(void) { return one(); }'
build base/one.c base/two.c
expect 1 'these need each other' 'two files that need each other'

begin
build base/one.c base/two.c
mkdir "$tree/other" && cp "$tree/one.o" "$tree/other/one.o" && ar qc "$tree/library.a" "$tree/other/one.o"
rm -r "$tree/other"
expect 1 'two objects of the name one.o' 'two objects that cannot be told apart'

rm "$tree/library.a"
expect 99 'is not built' 'a library that is missing'
exit $failed
