#!/bin/bash
# Prints `PATH INSTRUCTIONS` for each path: what one call executes, as the difference between a long
# run and a short one, so that what is done once is not in it.
set -eu
cd "$(dirname "$0")/../.."

programs=${BUSBAR_BUILD:-build}/bench/guard
short=2000 # calls, roughly; both are beyond what still grows
long=8000
life=120 # seconds after which a run has failed

build-aux/install-packages.sh build lint
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The C library copies by what the processor can do: here as any of this kind can.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-SSSE3,-SSE4_2,-AVX_Fast_Unaligned_Load,-AVX2
GLIBC_TUNABLES+=,-AVX512F,-AVX512VL,-ERMS,-FSRM
export LD_BIND_NOW=1

# PROGRAM PATH ROUNDS
instructions() {
    timeout "$life" valgrind --tool=callgrind --collect-atstart=no --toggle-collect='counted_*' \
        --compress-strings=no --compress-pos=no --callgrind-out-file="$scratch/profile" \
        "$1" "$2" "$3" </dev/null >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; return 1; }
    awk -v program="${1##*/}" -f bench/guard/count.awk "$scratch/profile"
}

for program in codec router broker client worker; do
    "$programs/$program" >"$scratch/paths"
    while read -r path calls; do
        first=$(instructions "$programs/$program" "$path" $((short / calls)))
        second=$(instructions "$programs/$program" "$path" $((long / calls)))
        awk -v path="$path" -v first="$first" -v second="$second" \
            -v calls=$(((long / calls - short / calls) * calls)) \
            'BEGIN { printf "%s %.1f\n", path, (second - first) / calls }'
    done <"$scratch/paths"
done
