#!/bin/bash
# `make demo` keeps its promises: every call answered though a worker is killed, nothing left behind.
. tests/kit/shell.sh

says() {
    grep -qF -- "$1" "$scratch/out" || { cat "$scratch/out"; return 1; }
}

calls=300
BUSBAR_DEMO_CALLS=$calls build-aux/demo.sh >"$scratch/out" 2>&1
code=$?
[ $code -eq 0 ] || cat "$scratch/out"

check "it ends with 0" test $code -eq 0
check "get_data answers" says 'You got remote data => Hello'
check "the song has its third line" says 'Happy Birthday Dear Greg!'
check "the song has the other three, each time" \
    test "$(grep -cx 'Happy Birthday to you!' "$scratch/out")" -eq 9
check "services are shown with two workers" grep -q '^ServiceName  *2 ' "$scratch/out"
check "the three files give the same" says 'It printed the same all three times.'
check "a worker is killed" says 'kill -KILL'
check "services are shown with one worker" grep -q '^ServiceName  *1 ' "$scratch/out"
check "sent, OK and WORKER_LOST are counted" \
    says "sent $calls, outcomes $calls: OK $calls, WORKER_LOST 0, other 0"

check "calls of the dead worker were answered by the other one" \
    grep -q '^calls that the dead worker had and the other one answered: [1-9]' "$scratch/out"

# Whose environment names the broker of this demo was started by it.
endpoint=$(sed -n 's/^busbard listens on //p' "$scratch/out")
left() {
    grep -lF "BUSBAR_BROKER=$endpoint" /proc/[0-9]*/environ 2>/dev/null
    grep -lF "greeter/server.yaml" /proc/[0-9]*/cmdline 2>/dev/null | grep -v "/$$/" |
        while read -r file; do
            grep -qF "$endpoint" "${file%cmdline}environ" 2>/dev/null && echo "$file"
        done
}
check "it names its broker" test -n "$endpoint"
left | check_none "no process is left"

# A demonstration in which calls fail says so by its exit code.
fails_without() {
    mkdir -p "$scratch/build/examples/greeter" "$scratch/build/examples/api"
    ln -sf "$BUSBAR_BUILD"/bus* "$scratch/build/"
    ln -sf "$BUSBAR_BUILD"/examples/greeter/* "$scratch/build/examples/greeter/"
    ln -sf "$BUSBAR_BUILD"/examples/api/* "$scratch/build/examples/api/"
    ln -sf /bin/false "$scratch/build/examples/greeter/$1"
    ! BUSBAR_BUILD=$scratch/build build-aux/demo.sh
}
check "it fails when its client fails" fails_without client
finish
