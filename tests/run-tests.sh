#!/bin/bash
# Runs the test programs and shell tests given as arguments, each under a time limit; prints a line
# for each, the output of those that fail, and last `N passed, N failed`, counted in test cases.
# TEST_FILTER=text: only programs whose path contains it. TEST_TIMEOUT: seconds for one program.
# TEST_AGAIN=1: a program that fails has a second run, alone, unless a sanitizer reported something.
# The sanitizer's builds are several times slower, and what they are run for are the reports; the
# bounds of time are held by the normal build, where a failure is one at once.
set -u
cd "$(dirname "$0")/.." || exit 1

timeout_seconds=${TEST_TIMEOUT:-120}
filter=${TEST_FILTER:-}
export BUSBAR_BUILD=${BUSBAR_BUILD:-$PWD/build}
export BUSBAR_SOURCE=$PWD
# Tests that call make start their own, and none talks to a bus of the machine it runs on.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES BUSBAR_BROKER NOTIFY_SOCKET

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0
failures=()

# A sanitizer's reports go to files, so that those of a test's child processes count as well.
if [ -n "${BUSBAR_SANITIZE:-}" ]; then
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$scratch/report"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$scratch/report"
    export TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=$scratch/report"
fi

# Adds up cmocka's summary lines: `[  FAILED  ] 2 test(s), listed below:`, one for each group.
cmocka_sum() {
    sed -n "s/^\\[ *$1 *\\] \\(.*[^0-9]\\)\\{0,1\\}\\([0-9][0-9]*\\) test(s).*/\\2/p" "$2" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

# Sets ok, bad and skipped from the output of one program.
count_cases() {
    local output=$1
    ok=$(cmocka_sum PASSED "$output")
    bad=$(cmocka_sum FAILED "$output")
    skipped=$(cmocka_sum SKIPPED "$output")
    ok=$((ok + $(grep -c '^ok - ' "$output")))
    bad=$((bad + $(grep -c '^not ok - ' "$output")))
    skipped=$((skipped + $(grep -c '^skipped - ' "$output")))
}

# Runs PROGRAM; sets ok, bad, skipped, note and reported.
try() {
    local program=$1 output=$2 code
    note=
    reported=
    local -a command=("$program")
    case $program in *.sh) command=(bash "$program") ;; esac
    if [ "${BUSBAR_VALGRIND:-}" = 1 ] && [[ $program != *.sh ]]; then
        # A child of a fork leaves behind what its threads would have freed: silent.
        command=(valgrind -q --leak-check=full --fair-sched=yes --child-silent-after-fork=yes
            --log-file="$scratch/report.%p" --suppressions=build-aux/valgrind.supp "$program")
    fi

    { # the shell's own word on a crash goes nowhere: the line below says it
        timeout --kill-after=5 "$timeout_seconds" "${command[@]}" >"$output" 2>&1 </dev/null
        code=$?
    } 2>/dev/null

    count_cases "$output"
    if [ -n "$(find "$scratch" -name 'report.*' -size +0)" ]; then
        note=", with a report on memory or threads"
        reported=yes
        bad=$((bad + 1))
        cat "$scratch"/report.* >>"$output"
    fi
    rm -f "$scratch"/report.*
    # What ends otherwise than by its own count of failures is one failure more.
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ]; then
        note="$note, stopped after $timeout_seconds s"
        bad=$((bad + 1))
    elif [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        note=", exit code $code"
        bad=1
    elif [ "$code" -eq 0 ] && [ $((ok + bad + skipped)) -eq 0 ]; then
        note=", no test in it"
        bad=1
    fi
}

run_one() {
    local program=$1 output=$scratch/output started
    started=$(date +%s%N)
    try "$program" "$output"
    if [ "$bad" -ne 0 ] && [ -z "$reported" ] && [ "${TEST_AGAIN:-}" = 1 ]; then
        sed 's/^/    /' "$output"
        echo "    tests/${program##*tests/}: $bad failed; a second run"
        try "$program" "$output"
    fi
    [ "$skipped" -eq 0 ] || note="$note, $skipped skipped"

    printf '%-52s %3d passed, %d failed  %6.2f s%s\n' "tests/${program##*tests/}" "$ok" "$bad" \
        "$((($(date +%s%N) - started) / 10000000))e-2" "$note"
    if [ "$bad" -ne 0 ]; then
        sed 's/^/    /' "$output"
        failures+=("tests/${program##*tests/}$note")
        while IFS= read -r line; do failures+=("    $line"); done < <(
            grep -E '^(not ok - |\[  FAILED  \] |\[   LINE   \])|: error: ' "$output" | head -n 20)
    fi
    [ "$skipped" -eq 0 ] || sed -n 's/^skipped - /    skipped: /p' "$output"
    passed=$((passed + ok))
    failed=$((failed + bad))
}

for program in "$@"; do
    case $program in *"$filter"*) run_one "$(realpath "$program" --relative-base="$PWD" -s)" ;; esac
done

[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
