#!/bin/bash
# What ThreadSanitizer overlooks is libzmq's, and each line says why.
. tests/kit/shell.sh

others() {
    grep -vnE '^#|^[a-z_]+:libzmq\.so$' build-aux/tsan.supp
}

unexplained() {
    awk '!/^#/ && before !~ /^#/ { print NR ": " $0 } { before = $0 }' build-aux/tsan.supp
}

others | check_none "suppressions name libzmq only"
unexplained | check_none "each suppression has its reason before it"
check "the run can fail: there is a race on purpose" test -f tests/sanitizers/race.c
finish
