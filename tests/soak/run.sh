#!/bin/bash
# A long run with faults, and the bounds this project promises. Prints what it ran on, distributions
# as they come, and last PASS or FAIL for each item; exit 1 if any failed.
# ROUNDS=5  pairs of bench/run.sh quick      FAIRNESS_ROUNDS=3 FAIRNESS_SAMPLES=20000
# RESTARTS=10  DEATHS=50  SEED=number   FUNCTION_RATIO=5  OBJECT_ROUNDS=9
# KILLS=310 CALLS=1000000 of the item kills   EVENTS=300000000 of the item simulation
# ITEMS="bench fairness restart death function object simulation kills …"  those to run; `faults` is
# all scenarios of tests/faults
set -u
cd "$(dirname "$0")/../.." || exit 2

build=${BUSBAR_BUILD:-build}
export BUSBAR_BUILD=$build
seed=${SEED:-$(date +%s)}
faults='kills restarts stops overload slow_client rolling clients_killed network_clients
    network_workers poison storm'
items=${ITEMS:-bench fairness restart death function object simulation faults}
items=${items//faults/$faults}
limit=3600 # seconds for one item
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
unset BUSBAR_BROKER NOTIFY_SOCKET

zmq_version() {
    pkg-config --modversion libzmq 2>/dev/null || echo unknown
}

machine() {
    printf 'machine: %s cores, %s, kernel %s, libzmq %s, load %s\n' "$(nproc)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" \
        "$(zmq_version)" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf 'commit: %s%s, seed %s\n' "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" \
        "$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')" "$seed"
}

# NAME LABEL least|most BOUND: judges a ratio that bench/run.sh wrote.
judge() {
    local ratio verdict
    ratio=$(sed -n "s/^$1 //p" "$scratch/ratios" 2>/dev/null)
    verdict=$(awk -v r="${ratio:-none}" -v side="$3" -v bound="$4" 'BEGIN {
        print r != "none" && (side == "least" ? r + 0 >= bound : r + 0 <= bound) ? "PASS" : "FAIL" }')
    echo "$verdict $1: $2 is ${ratio:-not measured} times zmq_proxy's, at $3 $4"
}

# COMMAND…: its output is shown as it comes, and its verdict kept.
run() {
    timeout "$limit" "$@" | tee "$scratch/output"
    local code=${PIPESTATUS[0]}
    if ! grep -E '^(PASS|FAIL) ' "$scratch/output" >>"$scratch/verdicts"; then
        echo "FAIL $(basename "$1"): it ended with code $code and without a verdict" |
            tee -a "$scratch/verdicts"
    elif [ "$code" -ne 0 ] && ! grep -q '^FAIL ' "$scratch/output"; then
        echo "FAIL $(basename "$1"): it ended with code $code" | tee -a "$scratch/verdicts"
    fi
}

item_bench() {
    RATIOS=$scratch/ratios OUT=$scratch/bench bench/run.sh quick
    {
        judge tcp-1x1-64-1000.calls_per_second "calls/s with 1000 outstanding" least 3
        judge tcp-1x1-64-1000.broker_cpu_us_per_call "broker CPU per call" most 0.4
        judge tcp-1x1-64-1.p50_us "p50 with one outstanding" most 1.15
    } | tee -a "$scratch/verdicts"
}

item_fairness() {
    run "$build/tests/soak/fairness" --rounds "${FAIRNESS_ROUNDS:-3}" \
        --samples "${FAIRNESS_SAMPLES:-20000}" --limit 5
}

item_restart() {
    run "$build/tests/soak/restart" --rounds "${RESTARTS:-10}" --limit 1000 --seed "$seed"
}

item_death() {
    run "$build/tests/soak/death" --rounds "${DEATHS:-50}" --limit 100
}

item_function() {
    run "$build/bench/function" --limit "${FUNCTION_RATIO:-5}"
}

item_object() {
    ROUNDS=${OBJECT_ROUNDS:-9} run bench/object.sh
}

# The router alone, under random events and the eye of a reference model.
item_simulation() {
    local verdict=FAIL events=${EVENTS:-300000000}
    BUSBAR_SEED=$seed BUSBAR_EVENTS=$events timeout "$limit" "$build/tests/simulation/simulation" &&
        verdict=PASS
    echo "$verdict simulation: $events random events, seed $seed" | tee -a "$scratch/verdicts"
}

# NAME OPTION…: a scenario of tests/faults in its long form.
fault() {
    local name=$1
    shift
    run "$build/tests/faults/test_$name" --long --seed "$seed" "$@"
}

item_kills() {
    fault kills --kills "${KILLS:-310}" --calls "${CALLS:-1000000}"
}

for name in $faults; do
    declare -F "item_$name" >/dev/null || eval "item_$name() { fault $name; }"
done

machine
: >"$scratch/verdicts"
for item in $items; do
    if ! declare -F "item_$item" >/dev/null; then
        echo "soak: there is no item '$item'" >&2
        exit 2
    fi
    echo
    echo "== $item, $(date +%H:%M:%S)"
    "item_$item"
done
echo
echo "load at the end: $(cut -d ' ' -f 1-3 /proc/loadavg)"
cat "$scratch/verdicts"
[ -s "$scratch/verdicts" ] && ! grep -q '^FAIL ' "$scratch/verdicts"
