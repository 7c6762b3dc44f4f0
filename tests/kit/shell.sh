# For shell tests: `check "sentence" command…` runs a command and prints ok or not ok; `finish`
# ends the test with the right exit code.
# shellcheck shell=bash

set -u
kit_failures=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# The output of a command is shown only if it fails.
check() {
    local sentence=$1
    shift
    if "$@" >"$scratch/check.output" 2>&1; then
        echo "ok - $sentence"
    else
        echo "not ok - $sentence"
        sed 's/^/    /' "$scratch/check.output"
        kit_failures=$((kit_failures + 1))
    fi
}

# For a list of faults on stdin: passes if there is none.
check_none() {
    cat >"$scratch/faults"
    check "$1" expect_empty "$scratch/faults"
}

expect_empty() {
    cat "$1"
    [ ! -s "$1" ]
}

finish() {
    [ "$kit_failures" -eq 0 ]
    exit
}
