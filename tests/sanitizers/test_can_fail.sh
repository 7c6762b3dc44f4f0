#!/bin/bash
# Under a sanitizer: faults made on purpose are found with the options and suppressions of the run,
# so that a clean run means something.
. tests/kit/shell.sh

# Reports of the programs below are expected: they go to stderr instead of counting as failures.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=stderr"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=stderr"
export TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=stderr"

# found FAULT WORDS: the program with the fault fails and its report contains the words.
found() {
    "${CC:-cc}" -g -O1 -pthread -fsanitize="$BUSBAR_SANITIZE" -fno-sanitize-recover=all \
        -o "$scratch/fault" tests/sanitizers/"$1".c || return 1
    if "$scratch/fault" >"$scratch/report" 2>&1; then
        echo "it passed"
        return 1
    fi
    cat "$scratch/report"
    grep -q "$2" "$scratch/report"
}

if [ "$BUSBAR_SANITIZE" = thread ]; then
    check "a data race is found" found race 'data race'
else
    check "a leak is found" found leak 'detected memory leaks'
    check "a read of freed memory is found" found use_after_free 'heap-use-after-free'
    check "a signed overflow is found" found overflow 'signed integer overflow'
fi
finish
