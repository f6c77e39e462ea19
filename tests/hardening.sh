#!/bin/sh
# Checks that the program was really built with the hardening that configure asked for: flags that a
# compiler accepts may still have no effect. Usage: hardening.sh [BINARY], default ./forkfs.
# FORKFS_FORTIFIED=no: built without optimization, so there are no fortified calls to look for.
set -u

binary=${1:-./forkfs}
failed=0

skip() {
    echo "SKIP: $1"
    exit 77
}

# check NAME PATTERN FILE...: some line of the files matches the extended regular expression.
check() {
    name=$1
    pattern=$2
    shift 2
    if grep -Eq -- "$pattern" "$@"; then
        echo "ok: $name"
    else
        echo "MISSING: $name"
        failed=1
    fi
}

command -v readelf >/dev/null || skip 'readelf is not installed (Debian: binutils)'
if [ ! -f "$binary" ]; then
    echo "$binary does not exist"
    exit 1
fi

facts=$(mktemp -d) || exit 1
trap 'rm -rf "$facts"' EXIT
LC_ALL=C readelf -hW "$binary" >"$facts/header" || exit 1
LC_ALL=C readelf -lW "$binary" >"$facts/segments" || exit 1
LC_ALL=C readelf -dW "$binary" >"$facts/dynamic" || exit 1
LC_ALL=C readelf --dyn-syms -W "$binary" >"$facts/symbols" || exit 1

if grep -Eq ' __(asan|tsan|ubsan)_' "$facts/symbols"; then
    skip 'the program is built with a sanitizer'
fi

check 'position independent executable' '^ *Type: +DYN' "$facts/header"
check 'program interpreter (not a shared library)' 'INTERP' "$facts/segments"
check 'read-only relocations' 'GNU_RELRO' "$facts/segments"
check 'symbols bound at start' '\(BIND_NOW\)|\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW' "$facts/dynamic"
check 'stack is not executable' 'GNU_STACK.* RW +0x' "$facts/segments"
check 'stack protector' ' __stack_chk_fail(@|$)' "$facts/symbols"
if [ "${FORKFS_FORTIFIED:-yes}" = yes ]; then
    check 'fortified library calls' ' __(mem|str|stp|v?f?printf|v?s?n?printf|v?asprintf|read|pread|fd|poll|realpath|readlink|getcwd|longjmp|syslog|vsyslog)[a-z0-9_]*_chk(@|$)' \
        "$facts/symbols"
fi
exit "$failed"
