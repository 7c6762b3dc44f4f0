#!/bin/bash
# Runs the test programs and shell tests given as arguments, each under a time limit; prints a line
# for each, the output of those that fail, and last `N passed, N failed`, counted in test cases.
# TEST_FILTER=text: only programs whose path contains it. TEST_TIMEOUT: seconds for one program.
# TEST_JOBS=N: so many programs at a time; what they say is printed in order.
# TEST_AGAIN=1: a program that fails has a second run, alone, after all others, unless a sanitizer
# reported something. The sanitizers' builds are several times slower, and what they are run for are
# the reports; the bounds of time are held by the normal build, which runs one program at a time and
# where a failure is one at once.
set -u
cd "$(dirname "$0")/.." || exit 1

timeout_seconds=${TEST_TIMEOUT:-120}
filter=${TEST_FILTER:-}
export BUSBAR_BUILD=${BUSBAR_BUILD:-$PWD/build}
export BUSBAR_SOURCE=$PWD
# Tests that call make start their own, and none talks to a bus of the machine it runs on.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES BUSBAR_BROKER NOTIFY_SOCKET

jobs=${TEST_JOBS:-1}
if ! [[ $jobs =~ ^[1-9][0-9]*$ ]]; then
    echo "TEST_JOBS must be a whole number from 1 on, not \"$jobs\"" >&2
    exit 2
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0
failures=()
again=()

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

# Runs PROGRAM with SLOT as its directory; sets ok, bad, skipped, note and reported.
try() {
    local program=$1 slot=$2 code
    local output=$slot/output report=$slot/report
    # A sanitizer's reports go to files, so that those of a test's child processes count as well.
    local -x ASAN_OPTIONS="${ASAN_OPTIONS:-}:log_path=$slot/report"
    local -x UBSAN_OPTIONS="${UBSAN_OPTIONS:-}:log_path=$slot/report"
    local -x TSAN_OPTIONS="${TSAN_OPTIONS:-}:log_path=$slot/report"
    note=
    reported=
    local -a command=("$program")
    case $program in *.sh) command=(bash "$program") ;; esac
    if [ "${BUSBAR_VALGRIND:-}" = 1 ] && [[ $program != *.sh ]]; then
        # A child of a fork leaves behind what its threads would have freed: silent.
        command=(valgrind -q --leak-check=full --fair-sched=yes --child-silent-after-fork=yes
            --log-file="$report.%p" --suppressions=build-aux/valgrind.supp "$program")
    fi

    { # the shell's own word on a crash goes nowhere: the line below says it
        timeout --kill-after=5 "$timeout_seconds" "${command[@]}" >"$output" 2>&1 </dev/null
        code=$?
    } 2>/dev/null

    count_cases "$output"
    if [ -n "$(find "$slot" -name 'report.*' -size +0)" ]; then
        note=", with a report on memory or threads"
        reported=yes
        bad=$((bad + 1))
        cat "$report".* >>"$output"
    fi
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

# Runs PROGRAM; leaves in SLOT what it said, what failed, and last the counts, or that it is to run again.
run_one() {
    local program=$1 slot=$2 started verdict
    started=$(date +%s%N)
    try "$program" "$slot"
    verdict="$ok $bad"
    if [ "$bad" -ne 0 ] && [ -z "$reported" ] && [ -n "$may_repeat" ]; then
        note="$note, to be run again"
        verdict=again
    fi
    [ "$skipped" -eq 0 ] || note="$note, $skipped skipped"
    {
        printf '%-52s %3d passed, %d failed  %6.2f s%s\n' "tests/${program##*tests/}" "$ok" "$bad" \
            "$((($(date +%s%N) - started) / 10000000))e-2" "$note"
        [ "$bad" -eq 0 ] || sed 's/^/    /' "$slot/output"
        [ "$skipped" -eq 0 ] || sed -n 's/^skipped - /    skipped: /p' "$slot/output"
    } >"$slot/said"
    if [ "$bad" -ne 0 ]; then
        echo "tests/${program##*tests/}$note"
        grep -E '^(not ok - |\[  FAILED  \] |\[   LINE   \])|: error: ' "$slot/output" | head -n 20 |
            sed 's/^/    /'
    fi >"$slot/failures"
    echo "$verdict" >"$slot/verdict.new"
    mv "$slot/verdict.new" "$slot/verdict"
}

# Prints and counts what SLOT has of PROGRAM.
collect() {
    local program=$1 slot=$2 verdict
    verdict=$(cat "$slot/verdict" 2>/dev/null || echo '0 1')
    cat "$slot/said"
    if [ "$verdict" = again ]; then
        again+=("$program")
    else
        passed=$((passed + ${verdict% *}))
        failed=$((failed + ${verdict#* }))
        while IFS= read -r line; do failures+=("$line"); done <"$slot/failures"
    fi
    rm -rf "$slot"
}

run_in_turn() {
    local program
    for program in "$@"; do
        mkdir "$scratch/slot"
        run_one "$program" "$scratch/slot"
        collect "$program" "$scratch/slot"
    done
}

# Ends what runs at once: `timeout` hands its signal on to the group of the program.
stop() {
    local pid
    local -a children
    for pid in $(jobs -p); do
        read -ra children <"/proc/$pid/task/$pid/children"
        kill "$pid" "${children[@]}"
    done 2>/dev/null
    exit 130
}

# With a process group for each, as otherwise they would ignore SIGINT.
run_at_once() {
    local begun=0 collected=0 oldest
    local -a programs=("$@") pids=()
    trap stop INT TERM
    while [ "$collected" -lt $# ]; do
        if [ "$begun" -lt $# ] && [ "$(jobs -rp | wc -l)" -lt "$jobs" ]; then
            mkdir "$scratch/$begun"
            set -m
            run_one "${programs[begun]}" "$scratch/$begun" &
            set +m
            pids+=($!)
            begun=$((begun + 1))
            continue
        fi
        wait -n
        while [ "$collected" -lt "$begun" ]; do
            oldest=$scratch/$collected
            [ -f "$oldest/verdict" ] || ! kill -0 "${pids[collected]}" 2>/dev/null || break
            collect "${programs[collected]}" "$oldest"
            collected=$((collected + 1))
        done
    done
}

chosen=()
for program in "$@"; do
    case $program in *"$filter"*) chosen+=("$(realpath "$program" --relative-base="$PWD" -s)") ;; esac
done
may_repeat=${TEST_AGAIN:-}
if [ "$jobs" -eq 1 ]; then run_in_turn "${chosen[@]}"; else run_at_once "${chosen[@]}"; fi
may_repeat=
run_in_turn "${again[@]}"

[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
