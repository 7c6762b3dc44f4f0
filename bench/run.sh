#!/bin/bash
# Busbar beside ZeroMQ's own zmq_proxy: alternating pairs on this machine, in the same minutes.
# Prints the median and the spread of each, and the ratios of the medians of the pairs.
# ROUNDS=5  pairs            CALLS=2000000 PROXY_CALLS=400000  with 1000 outstanding
# SIZE=64   bytes of a body  SYNC_CALLS=20000                  with one outstanding
# RATIOS=FILE  also writes `name ratio` lines there
set -eu
cd "$(dirname "$0")/.."

build=${BUSBAR_BUILD:-build}
rounds=${ROUNDS:-5}
calls=${CALLS:-2000000}
proxy_calls=${PROXY_CALLS:-400000}
sync_calls=${SYNC_CALLS:-20000}
size=${SIZE:-64}
outstanding=${OUTSTANDING:-1000}
majordomo_calls=${MAJORDOMO_CALLS:-200000}
limit=120 # seconds for one run

for program in "$build/busbar" "$build/busbard" "$build/bench/load"; do
    [ -x "$program" ] || { echo "bench: $program is missing: run make bench" >&2; exit 2; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# NAME COMMAND…: adds the JSON that the command prints to the file of that name.
measure() {
    local name=$1
    shift
    timeout "$limit" "$@" >>"$scratch/$name" || { echo "bench: $* failed" >&2; exit 1; }
    echo "  $name: $(tail -n 1 "$scratch/$name")" >&2
}

# NAME KEY: the values of a key, one a line, in the order of the rounds.
values() {
    sed -n "s/.*\"$2\": \\([0-9.]*\\).*/\\1/p" "$scratch/$1"
}

# Of the numbers on stdin: median, least, greatest.
spread() {
    sort -g | awk '{ v[NR] = $1 } END {
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
        printf "%.3f %.3f %.3f\n", m, v[1], v[NR] }'
}

# LABEL BUSBAR PROXY KEY NAME: one line of the table, the ratio taken pair by pair.
row() {
    local ours theirs ratio
    ours=$(values "$2" "$4" | spread)
    theirs=$(values "$3" "$4" | spread)
    ratio=$(paste <(values "$2" "$4") <(values "$3" "$4") | awk '{ print $1 / $2 }' | spread)
    # shellcheck disable=SC2086 # three words each
    printf '%-30s %11.6g (%.6g–%.6g) %11.6g (%.6g–%.6g) %7.2f (%.2f–%.2f)\n' "$1" \
        $ours $theirs $ratio
    [ -z "${RATIOS:-}" ] || echo "$5 ${ratio%% *}" >>"$RATIOS"
}

for round in $(seq "$rounds"); do
    echo "pair $round of $rounds" >&2
    measure busbar-many "$build/busbar" bench --json --calls "$calls" \
        --outstanding "$outstanding" --size "$size"
    measure proxy-many "$build/bench/load" zmq_proxy --calls "$proxy_calls" \
        --outstanding "$outstanding" --size "$size"
    measure busbar-sync "$build/busbar" bench --json --calls "$sync_calls" --outstanding 1 \
        --size "$size"
    measure proxy-sync "$build/bench/load" zmq_proxy --calls "$sync_calls" --outstanding 1 \
        --size "$size"
    measure majordomo "$build/bench/load" majordomo --transport ipc --calls "$majordomo_calls" \
        --outstanding "$outstanding" --size "$size" --workers 10 --worker-processes 1
done

[ -z "${RATIOS:-}" ] || : >"$RATIOS"
echo "$size bytes, medians of $rounds pairs (least–greatest): busbar, zmq_proxy, ratio"
row "calls/s, $outstanding outstanding" busbar-many proxy-many calls_per_second calls_per_second
row "broker CPU µs/call, the same" busbar-many proxy-many broker_cpu_us_per_call broker_cpu
row "p50 µs, one outstanding" busbar-sync proxy-sync p50_us sync_p50
row "p99 µs, one outstanding" busbar-sync proxy-sync p99_us sync_p99

values majordomo calls_per_second | spread | awk '{
    printf "Majordomo 0.1, ten workers, pipelined: %.0f calls/s (%.0f–%.0f), %.1f times the 7,400\n",
        $1, $2, $3, $1 / 7400
    print "that the well-known C broker reached with one worker on a machine with 2 cores" }'
