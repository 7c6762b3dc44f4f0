#!/bin/bash
# The benchmark measures what it says: medians and ratios of runs written by hand, and a short run of
# each system that needs nothing but this build.
. tests/kit/shell.sh

build=${BUSBAR_BUILD:-build}
mkdir "$scratch/tmp" "$scratch/out"
export TMPDIR=$scratch/tmp

# SYSTEM CALLS_PER_SECOND ROUND: a run of the first case.
run_line() {
    echo "{\"case\": \"tcp-1x1-64-1000\", \"round\": $3, \"system\": \"$1\", \"transport\": \"tcp\"," \
        "\"clients\": 1, \"workers\": 1, \"size\": 64, \"outstanding\": 1000, \"calls_per_second\": $2}"
}

# The medians are 200 and 400, but the ratios of the pairs 3, 2 and 5.
{
    run_line zmq_proxy 100 1
    run_line busbar 300 1
    run_line busbar 400 2
    run_line zmq_proxy 200 2
    run_line zmq_proxy 400 3
    run_line busbar 2000 3
} >"$scratch/runs"

results() {
    awk -v unit=zmq_proxy -v targets=bench/targets.txt -f bench/results.awk -f "bench/$1.awk" \
        "$scratch/runs"
}

says() {
    results "$1" >"$scratch/said"
    cat "$scratch/said"
    grep -qE -- "$2" "$scratch/said"
}

# SYSTEM OPTION…: 200 calls, and nothing but JSON of them.
measures() {
    "$build/bench/load" "$@" --calls 200 >"$scratch/json"
    cat "$scratch/json"
    grep -qE '^\{.*"calls": 200, "calls_per_second": [1-9].*\}$' "$scratch/json"
}

refuses() {
    ! "$build/bench/load" "$@" 2>&1
}

runs_quick() {
    OUT=$scratch/out ROUNDS=1 LIMIT=1 RATIOS=$scratch/ratios bench/run.sh quick &&
        grep -q '^<svg' "$scratch/out/chart.svg" && [ -s "$scratch/out/results.json" ] &&
        grep -q '^tcp-1x1-64-1000.broker_cpu_us_per_call [0-9.]*$' "$scratch/ratios" &&
        grep -q '^tcp-1x1-64-1.p50_us [0-9.]*$' "$scratch/ratios"
}

check "a ratio is the median of the ratios within the rounds" \
    says ratios '^tcp-1x1-64-1000.calls_per_second 3.000$'
check "the table has median, least and greatest" \
    says table '^busbar +400 \(300-2000\) +3.00 \(2.00-5.00\)'
check "a bound that is missed is said to be" says promised '^MISSED.* 3 \(2-5\)  at least 4'
run_line busbar 5000 4 >>"$scratch/runs"
run_line zmq_proxy 500 4 >>"$scratch/runs"
check "the median of four is between the middle ones" says promised '^met.* 4 \(2-10\)  at least 4'

check "clients and workers as processes" measures busbar --clients 2 --workers 2 --outstanding 10
check "clients as threads of one process" measures busbar --clients 4 --client-processes 1
check "one call at a time, on ipc" measures busbar --outstanding 1 --transport ipc
check "several services, idle clients" measures busbar --services 20 --idle 20
check "a flood beside it" measures busbar --outstanding 1 --flood 50 --flood-service bench.other
check "the unit" measures zmq_proxy --clients 2 --workers 2
check "Majordomo, ten workers in a process" measures majordomo --workers 10 --worker-processes 1
check "Majordomo's plain broker" measures majordomo_plain --workers 3 --outstanding 1
check "an unknown system is refused" refuses nonesuch
check "an option without a value is refused" refuses busbar --calls
check "bench-quick" runs_quick
check_none "nothing is left behind" < <(ls -A "$TMPDIR")
finish
