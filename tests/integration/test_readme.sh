#!/bin/bash
# The README is true: its commands work, and its programs compile against an installed tree and run.
. tests/kit/shell.sh

pids=()
clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

if [ -n "${BUSBAR_SANITIZE:-}" ]; then
    echo "skipped - the README: its programs are not built with sanitizers"
    finish
fi

# block NAME: the lines of the code block that is marked with it.
block() {
    awk -v mark="$1" '
        /^```/ && inside { exit }
        inside
        /^```/ && $2 == mark { inside = 1 }' README.md
}

# wait_for COMMAND…: at most 10 s.
wait_for() {
    for ((i = 0; i < 500; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.02
    done
    return 1
}

# As a reader would, with the build where this test has it.
commands_of() {
    block "$1" | sed "s|^build/|$BUSBAR_BUILD/|"
}

run_each() {
    commands_of "$1" | while IFS= read -r line; do
        echo "\$ $line"
        bash -c "$line" </dev/null || exit 1
    done
}

targets_exist() {
    block commands | while read -r command target _; do
        [ "$command" = make ] && grep -q "^$target:" Makefile || exit 1
    done
}

is_small() {
    [ "$(block "$1" | wc -l)" -le 25 ]
}

install_tree() {
    make --no-print-directory BUILD="$BUSBAR_BUILD" CC="${CC:-cc}" CFLAGS="$CFLAGS" \
        CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS" PREFIX="$scratch/usr" install
}

compile() {
    block worker.c >"$scratch/worker.c"
    block client.c >"$scratch/client.c"
    block compile >"$scratch/compile"
    (cd "$scratch" && PKG_CONFIG_PATH=$scratch/usr/lib/pkgconfig bash -e compile)
}

client_says_hello() {
    LD_LIBRARY_PATH=$scratch/usr/lib "$scratch/client" | tee "$scratch/said"
    grep -qx 'Hello, world!' "$scratch/said"
}

check "its two commands are targets of the Makefile" targets_exist

# Terminal 1; the port is the kernel's choice here.
block terminal-1 | grep -qx 'build/busbard' || echo "not ok - terminal 1 starts the broker"
"$BUSBAR_BUILD/busbard" --bind 'tcp://127.0.0.1:*' 2>"$scratch/broker.log" &
pids+=($!)
check "terminal 1: the broker starts" wait_for grep -q broker_ready "$scratch/broker.log"
BUSBAR_BROKER=$(sed -n 's/.*broker_ready endpoint=\([^ ]*\).*/\1/p' "$scratch/broker.log")
export BUSBAR_BROKER

eval "$(commands_of terminal-2) 2>'$scratch/serve.log' &"
pids+=($!)
check "terminal 2: the service is on the bus" wait_for grep -q '^serving' "$scratch/serve.log"
check "terminal 3: each command works" run_each terminal-3
run_each terminal-3 >"$scratch/third" 2>&1
check "terminal 3: the words of the README are counted" \
    grep -qx " *$(wc -w <README.md)" "$scratch/third"
check "terminal 3: words given on the command line are counted" grep -qx ' *4' "$scratch/third"

check "its programs are short" is_small worker.c
check "its client is short" is_small client.c
check "the tree installs" install_tree
check "its programs compile as it says" compile
LD_LIBRARY_PATH=$scratch/usr/lib "$scratch/worker" &
pids+=($!)
check "its client gets an answer from its worker" wait_for client_says_hello
finish
