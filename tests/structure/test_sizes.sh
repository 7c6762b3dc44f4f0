#!/bin/bash
# Files and functions stay short: files under 400 lines, functions at most 60 lines and nine in ten
# of them under 30.
. tests/kit/shell.sh

sources() {
    find base protocol settings transport client-lib objects worker-lib app broker cli examples bench tests \
        -name '*.[ch]'
}

long_files() {
    {
        sources
        find build-aux tests .ci Makefile -type f \( -name '*.sh' -o -name Makefile -o -name run \)
    } | sort -u | xargs wc -l |
        awk '$2 != "total" && $1 >= 400 { print $2 ": " $1 " lines" }'
}

# Prints "lines function file:line", longest first; lines counted from the name to the last brace.
functions() {
    sources | xargs ctags -o - --languages=C --kinds-C=f --fields=+ne --excmd=number |
        awk -F '\t' '!/^!/ {
            start = last = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/)
                    start = substr($i, 6)
                if ($i ~ /^end:/)
                    last = substr($i, 5)
            }
            if (last)
                print last - start + 1, $1, $2 ":" start
        }' | sort -rn
}

long_files | check_none "no file has 400 lines or more"

if ctags --version 2>/dev/null | grep -q Universal; then
    functions >"$scratch/functions"
    awk '$1 > 60' "$scratch/functions" | check_none "no function has more than 60 lines"
    awk '$3 ~ /^(tests|bench)\// { next }
        { all++ }
        $1 >= 30 { long++; names = names "\n" $0 }
        END {
            if (long * 10 > all)
                print long " of " all " functions have 30 lines or more:" names
        }' "$scratch/functions" | check_none "nine functions in ten have fewer than 30 lines"
else
    echo "skipped - length of functions: universal-ctags is not installed"
fi
finish
