#!/bin/sh
# The help text, the manual page, README's table and the completion must name the same mount options.
# Usage: options.sh, with ./forkfs built; $srcdir is the top of the sources (default: .).
set -u

top=${srcdir:-.}
failed=0
help=$(./forkfs -h) || exit 1

# Lines "    -o name=VALUE   text" behind the line "mount options:".
options=$(printf '%s\n' "$help" |
    sed -n '/^mount options:/,/^$/s/^ *-o \([a-z_0-9]*\)\(=[A-Z]*\)\{0,1\} .*/\1/p')
if [ -z "$options" ]; then
    echo 'forkfs -h lists no mount options'
    exit 1
fi

# The completion's list: words in single quotes, over several lines.
completed=$(sed -n "/local options='/,/'\$/p" "$top/contrib/completions/forkfs.bash" |
    sed "s/.*options='//; s/'//" | tr -s ' ' '\n' | sed 's/=//' | sed '/^$/d')

for option in $options; do
    if ! grep -Eq "^\.(B|BI).*\b$option\b" "$top/docs/man/forkfs.8"; then
        echo "the manual page lacks $option"
        failed=1
    fi
    if ! grep -Eq "^\|.*\`${option}[=\`]" "$top/README.md"; then
        echo "README lacks $option"
        failed=1
    fi
    if ! printf '%s\n' "$completed" | grep -qx "$option"; then
        echo "the completion lacks $option"
        failed=1
    fi
done
for option in $completed; do
    if ! printf '%s\n' "$options" | grep -qx "$option"; then
        echo "the completion has $option, which forkfs does not"
        failed=1
    fi
done
exit "$failed"
