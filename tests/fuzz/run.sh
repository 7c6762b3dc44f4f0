#!/bin/bash
# Builds each fuzz driver with clang and libFuzzer and lets it run for a while; for `make fuzz`.
set -eu
cd "$(dirname "$0")/../.."

out=${BUILD:-build}/fuzz
seconds=${FUZZ_SECONDS:-60}
read -ra flags <<<"${CPPFLAGS:-}"
read -ra libs <<<"${LIBS:-}"

for driver in tests/fuzz/fuzz_*.c; do
    name=$(basename "$driver" .c)
    mkdir -p "$out/corpus/$name"
    clang -std=gnu11 -O1 -g -pthread -fsanitize=fuzzer,address,undefined \
        -fno-sanitize-recover=all "${flags[@]}" "$driver" tests/fuzz/seeds.c tests/unit/vectors.c \
        base/*.c protocol/*.c settings/*.c broker/settings*.c broker/endpoint.c \
        -o "$out/$name" "${libs[@]}"
    "$out/$name" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
        -artifact_prefix="$out/$name-" "$out/corpus/$name"
done
