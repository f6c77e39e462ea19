#!/bin/sh
# Every test that the documents name, as `file::test`, must exist, be run, and be part of the build; every file that
# HACKING names must exist.
# Usage: checklist.sh [SOURCE_DIRECTORY]
set -u
source=${1:-${srcdir:-.}}

# Whether the test $2 of the file $1 is defined there and run.
exists()
{
    case $1 in
    *.c)
        file=$(cd "$source" && find tests/unit -name "$1")
        [ -n "$file" ] &&
            grep -Eq "^(static )?void $2\(void \*\*" "$source/$file" &&
            grep -Eq "[A-Za-z_]\($2[,)]" "$source/$file" &&
            grep -Fq "$file" "$source"/tests/unit/*.inc
        ;;
    *.py)
        grep -Eq "^def $2\(" "$source/tests/integration/$1" &&
            grep -Fq "tests/integration/$1" "$source/tests/integration/Makefile.inc"
        ;;
    esac
}

[ -d "$source/tests/unit" ] || {
    echo "no tests in $source" >&2
    exit 99
}
named=$(grep -Eho '[a-z0-9_]+\.(c|py)::[a-zA-Z0-9_]+' "$source"/docs/*.md | sort -u)
if [ -z "$named" ]; then
    echo 'the documents name no tests'
    exit 1
fi
failed=0
for test in $named; do
    exists "${test%%::*}" "${test##*::}" 2>/dev/null || {
        echo "the documents name $test, which does not exist or is not run"
        failed=1
    }
done
for file in $(grep -Eo '(src|tests|docs|contrib|tools)/[a-zA-Z0-9_./-]*[a-z0-9]\b' "$source/docs/HACKING.md" | grep -v NAME | sort -u); do
    [ -e "$source/$file" ] || [ -e "$source/$file.c" ] || {
        echo "HACKING names $file, which does not exist"
        failed=1
    }
done
exit "$failed"
