#!/bin/bash
# The examples, built against an installed tree, do what their page says.
. tests/kit/shell.sh

page=examples/README.md
root=$scratch/usr
out=$scratch/examples

install_tree() {
    make --no-print-directory BUILD="$BUSBAR_BUILD" CC="${CC:-cc}" CFLAGS="$CFLAGS" \
        CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS" PREFIX="$root" install
}

build() {
    cp -r examples "$scratch/source" &&
        PKG_CONFIG_PATH=$root/lib/pkgconfig make -s -C "$scratch/source" OUT="$out" CC="${CC:-cc}"
}

# start_broker NUMBER: sets `endpoint`.
start_broker() {
    "$root/bin/busbard" --bind 'tcp://127.0.0.1:*' 2>"$scratch/broker$1.log" &
    pids+=($!)
    wait_for grep -q broker_ready "$scratch/broker$1.log"
    endpoint=$(sed -n 's/.*broker_ready endpoint=\([^ ]*\).*/\1/p' "$scratch/broker$1.log")
}

start_each() {
    local line count=0
    while IFS= read -r line; do
        count=$((count + 1))
        (cd "$out" && exec bash -c "exec $line" 2>"$scratch/worker$count.log") &
        pids+=($!)
        wait_for grep -q running "$scratch/worker$count.log" || return 1
    done < <(block "$1" "$page")
    [ "$count" -gt 0 ]
}

run_each() {
    block "$1" "$page" >"$scratch/$1.commands"
    [ -s "$scratch/$1.commands" ] || return 1
    (cd "$out" && bash -e "$scratch/$1.commands") 2>&1 | tee "$scratch/$1.out"
    return "${PIPESTATUS[0]}"
}

says() {
    grep -qxF -- "$2" "$scratch/$1.out"
}

check "the tree installs" install_tree
check "the examples build against it" build
export PATH=$root/bin:$PATH LD_LIBRARY_PATH=$root/lib
check "the greeter answers here and within one process" run_each greeter
check "it does so twice" test "$(grep -cx 'Happy Birthday Dear Greg!' "$scratch/greeter.out")" -eq 2

start_broker 1
export BUSBAR_BROKER=$endpoint
check "the workers start" start_each workers
check "each call of the page is answered" run_each calls
check "eleven workers have one name" grep -q '^ServiceName *11 ' "$scratch/calls.out"
check "the C library answers" says calls 12
check "libm answers" says calls 1024.0
check "zlib answers" says calls 907060870
check "the script answers" says calls magnificent
check "the primes come in parts" says calls "669 primes, their sum is 1548136"

start_broker 2
first=$endpoint
start_broker 3
second=$endpoint
brokers=("${pids[@]: -2}")
for endpoint in "$first" "$second"; do
    (cd "$out" && BUSBAR_BROKER=$endpoint exec busbar worker two-brokers/server.yaml \
        2>"$scratch/pool.log") &
    pids+=($!)
    check "a worker of one of two brokers starts" wait_for grep -q running "$scratch/pool.log"
done
pool() {
    (cd "$out" && FIRST=$first SECOND=$second greeter/client two-brokers/client.yaml)
}
check "the pool answers with both" pool
{ # the shell's own word on the death of its child goes nowhere
    kill -KILL "${brokers[0]}"
    wait "${brokers[0]}"
} 2>/dev/null
check "the pool answers with the second alone" pool
finish
