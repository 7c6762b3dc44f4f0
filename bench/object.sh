#!/bin/bash
# Calls by values through a proxy beside calls of the raw client, one after the other in both:
# alternating pairs. Prints each pair, the median of the ratios, and PASS if that is at least LIMIT.
# ROUNDS=9  pairs  CALLS=20000  of each  LIMIT=0.9
set -eu
cd "$(dirname "$0")/.."

build=${BUSBAR_BUILD:-build}
rounds=${ROUNDS:-9}
calls=${CALLS:-20000}
limit=${LIMIT:-0.9}
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

# OPTION…: calls per second.
rate() {
    timeout 120 "$build/busbar" bench --json --calls "$calls" "$@" |
        sed -n 's/.*"calls_per_second": \([0-9.]*\).*/\1/p'
}

for round in $(seq "$rounds"); do
    if [ $((round % 2)) -eq 0 ]; then
        raw=$(rate --outstanding 1)
        object=$(rate --object)
    else
        object=$(rate --object)
        raw=$(rate --outstanding 1)
    fi
    echo "$object $raw" >>"$scratch"
    echo "pair $round of $rounds: proxy $object calls/s, client $raw calls/s" >&2
done
awk '{ print $1 / $2 }' "$scratch" | sort -g | awk -v limit="$limit" '{ v[NR] = $1 } END {
    median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    printf "%s object: calls/s through a proxy are %.3f (%.3f to %.3f) of the client'"'"'s, at least %s\n",
        (median >= limit ? "PASS" : "FAIL"), median, v[1], v[NR], limit
    exit (median < limit) }'
