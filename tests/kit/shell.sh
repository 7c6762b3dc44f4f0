# For shell tests: `check "sentence" command…` runs a command and prints ok or not ok; `finish`
# ends the test with the right exit code. Processes whose ids are put into `pids` end with the test.
# shellcheck shell=bash

set -u
kit_failures=0
scratch=$(mktemp -d) || exit 1
pids=()
kit_clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap kit_clean_up EXIT

# wait_for COMMAND…: until it succeeds, at most 10 s.
wait_for() {
    for ((i = 0; i < 500; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.02
    done
    return 1
}

# block NAME PAGE: the lines of the code block of a document that is marked with the name.
block() {
    awk -v mark="$1" '
        /^```/ && inside { exit }
        inside
        /^```/ && $2 == mark { inside = 1 }' "$2"
}

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
