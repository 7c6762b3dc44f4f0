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

# A build of which the results go elsewhere.
mkdir -p "$scratch/build/bench"
ln -s "$(realpath "$build/busbard")" "$scratch/build/"
ln -s "$(realpath "$build/bench/load")" "$scratch/build/bench/"
run_bench() {
    env BUSBAR_BUILD="$scratch/build" ROUNDS=1 LIMIT=1 "$@"
}

# Its results lie beside those of a long run, which stay.
runs_quick() {
    echo 'of a long run' >"$scratch/build/bench/table.txt"
    run_bench RATIOS="$scratch/ratios" bench/run.sh quick && out=$scratch/build/bench/quick &&
        grep -q '^of a long run$' "$scratch/build/bench/table.txt" &&
        grep -q '^commit: ' "$out/table.txt" &&
        grep -q '^<svg' "$out/chart.svg" && [ -s "$out/results.json" ] &&
        grep -q '^tcp-1x1-64-1000.broker_cpu_us_per_call [0-9.]*$' "$scratch/ratios" &&
        grep -q '^tcp-1x1-64-1.p50_us [0-9.]*$' "$scratch/ratios"
}

# MESSAGE VARIABLE=VALUE…: it ends with 2 and this message, and what was measured before is still there.
will_not_run() {
    local message=$1
    shift
    echo 'of a long run' >"$scratch/build/bench/table.txt"
    run_bench "$@" bench/run.sh >"$scratch/said" 2>&1
    [ $? -eq 2 ] && grep -F -- "$message" "$scratch/said" &&
        grep -q '^of a long run$' "$scratch/build/bench/table.txt"
}

# Of a case that has four systems one alone.
runs_what_is_named() {
    run_bench OUT="$scratch/out" SYSTEMS=majordomo CASES='^ipc-1x10' bench/run.sh &&
        [ "$(grep -c '"system"' "$scratch/out/runs.jsonl")" -eq 1 ] &&
        grep -q '"system": "majordomo"' "$scratch/out/runs.jsonl"
}

# The rows of the document's table of bounds, as the file has them.
promised_rows() {
    awk '!/^(#|note:)/ {
        print "| `" $1 "` | " $2 " " $3 " | " ($4 == "-" ? "" : $4) " | at " $5 " " $6 " | " $7 " |"
    }' bench/targets.txt
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
check "no case of that name" will_not_run "no case with CASES='nomatch'" CASES=nomatch
check "no system of that name" will_not_run "there is no system 'nonesuch'" SYSTEMS=nonesuch
check "a measurement takes whole seconds" will_not_run 'LIMIT must be a whole number' LIMIT=0.5
check "and at least one" will_not_run 'LIMIT must be a whole number' LIMIT=0
check "only the systems that are named run" runs_what_is_named
promised_rows | while read -r row; do grep -qxF -- "$row" docs/performance.md || echo "$row"; done |
    check_none "the document has each bound of the file"
check_none "nothing is left behind" < <(ls -A "$TMPDIR")
finish
