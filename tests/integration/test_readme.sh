#!/bin/bash
# The README is true: its commands work, and its programs compile against an installed tree and run.
. tests/kit/shell.sh

if [ -n "${BUSBAR_SANITIZE:-}" ]; then
    echo "skipped - the README: its programs are not built with sanitizers"
    finish
fi

# As a reader would, with the build where this test has it.
commands_of() {
    block "$1" README.md | sed "s|^build/|$BUSBAR_BUILD/|"
}

run_each() {
    commands_of "$1" | while IFS= read -r line; do
        echo "\$ $line"
        bash -c "$line" </dev/null || exit 1
    done
}

targets_exist() {
    block commands README.md | while read -r command target _; do
        [ "$command" = make ] && grep -q "^$target:" Makefile || exit 1
    done
}

is_small() {
    [ "$(block "$1" README.md | wc -l)" -le 25 ]
}

install_tree() {
    make --no-print-directory BUILD="$BUSBAR_BUILD" CC="${CC:-cc}" CFLAGS="$CFLAGS" \
        CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS" PREFIX="$scratch/usr" install
}

compile() {
    for file in greeter.c client.c local.yaml server.yaml client.yaml; do
        block $file README.md >"$scratch/$file"
    done
    block compile README.md >"$scratch/compile"
    (cd "$scratch" && PKG_CONFIG_PATH=$scratch/usr/lib/pkgconfig bash -e compile)
}

# Each command of the block says it; at first the worker may not be registered yet.
each_says_hello() {
    block hello README.md >"$scratch/hello"
    (cd "$scratch" && PATH=$BUSBAR_BUILD:$PATH LD_LIBRARY_PATH=$scratch/usr/lib bash -e hello) |
        tee "$scratch/said"
    [ "$(grep -cx 'Hello, world!' "$scratch/said")" -eq 3 ] &&
        [ "$(wc -l <"$scratch/hello")" -eq 3 ]
}

client_fails_with_a_message() {
    ! BUSBAR_BROKER=tcp://127.0.0.1:1 LD_LIBRARY_PATH=$scratch/usr/lib "$scratch/client" \
        "$scratch/client.yaml" 2>"$scratch/failed" && grep -q '^client: .*tcp://127.0.0.1:1 ' "$scratch/failed"
}

# docs/building.md: without root, into a home of its own.
builds_without_root() {
    mkdir -p "$scratch/home"
    block prefix docs/building.md | sed "s|^make install|make BUILD=$BUSBAR_BUILD install|" |
        HOME=$scratch/home CC=${CC:-cc} bash -e
    [ -x "$scratch/home/busbar/bin/busbar" ]
}

staged() {
    sed -e "s|/tmp/stage|$scratch/stage|g" -e "s|/tmp/examples|$scratch/examples|g" \
        -e "s|^make install|make BUILD=$BUSBAR_BUILD install|"
}

build_as_it_says() {
    block building README.md | staged | CC=${CC:-cc} bash -e
}

# In the source tree, as a reader would; the two programs are written elsewhere.
link_statically() {
    block static docs/building.md | staged | sed -e "s|client client.c|$scratch/static $scratch/client.c|" |
        bash -e -o pipefail
}

static_programs() {
    find "$scratch/static" "$scratch/examples" -type f -perm -u+x
}

none_needs_our_libraries() {
    [ "$(static_programs | wc -l)" -ge 4 ] && static_programs | xargs ldd | tee "$scratch/needs"
    ! grep -q libbusbar "$scratch/needs"
}

check "its two commands are targets of the Makefile" targets_exist

# Terminal 1; the port is the kernel's choice here.
block terminal-1 README.md | grep -qx 'build/busbard' || echo "not ok - terminal 1 starts the broker"
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

check "its library is short" is_small greeter.c
check "its client is short" is_small client.c
check "the tree installs" install_tree
check "its programs compile as it says" compile
(cd "$scratch" && exec "$BUSBAR_BUILD/busbar" worker server.yaml 2>worker.log) &
pids+=($!)
check "its worker starts" wait_for grep -q running "$scratch/worker.log"
check "its client and busbar get an answer, wherever the object is" wait_for each_says_hello
check "its client says on stderr that it failed, and exits with 1" client_fails_with_a_message
check "an installation without root works as docs/building.md says" builds_without_root
check "its commands for building work" build_as_it_says
check "its commands for static linking work" link_statically
check "what they made needs no library of ours" none_needs_our_libraries
check "it has at most 200 lines" test "$(wc -l <README.md)" -le 200
finish
