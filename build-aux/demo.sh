#!/bin/bash
# `make demo`: one client program, its object in the same process, beside a broker in the same process,
# and with workers elsewhere; then one worker is killed while it has calls.
# BUSBAR_BUILD: where the programs are. Exit code 0 only if every call was answered.
set -u
set -o pipefail
build=${BUSBAR_BUILD:-build}
calls=${BUSBAR_DEMO_CALLS:-600}
greeter=$build/examples/greeter
scratch=$(mktemp -d) || exit 1
pids=()

# Nothing that was started here outlives this script.
clean_up() {
    local pid
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null
    done
    for ((i = 0; i < 200; i++)); do
        running || break
        sleep 0.02
    done
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

running() {
    local pid
    for pid in "${pids[@]}"; do
        kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null &&
            return 0
    done
    return 1
}

die() {
    echo "demo: $*" >&2
    cat "$scratch"/*.log >&2
    exit 1
}

say() {
    printf '\n== %s\n' "$*"
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.02
    done
}

start_worker() {
    "$build/busbar" worker "$greeter/server.yaml" 2>"$scratch/worker.$1.log" &
    pids+=($!)
    eval "worker_$1=$!"
}

workers_are() {
    "$build/busbar" services | awk '$1 == "ServiceName" { print $2 }' | grep -qx "$1"
}

say 'An object in the process of its client: no broker, no worker (local.yaml)'
"$greeter/client" "$greeter/local.yaml" | tee "$scratch/local.out" || die 'the client failed'

say 'The same program; a broker, the service and its client in one process (together.yaml)'
"$greeter/client" "$greeter/together.yaml" | tee "$scratch/together.out" || die 'the client failed'

say 'A broker on a port that the kernel chooses'
"$build/busbard" --bind 'tcp://127.0.0.1:*' 2>"$scratch/broker.log" &
pids+=($!)
wait_for 20 grep -q broker_ready "$scratch/broker.log" || die 'the broker does not listen'
endpoint=$(sed -n 's/.*broker_ready endpoint=\([^ ]*\).*/\1/p' "$scratch/broker.log")
export BUSBAR_BROKER=$endpoint
echo "busbard listens on $endpoint"

say 'Two workers export the functions of libgreeter.so as ServiceName (server.yaml)'
start_worker a
start_worker b
wait_for 20 workers_are 2 || die 'the workers are not registered'
"$build/busbar" services || die 'busbar services failed'
"$build/busbar" describe ServiceName || die 'busbar describe failed'

say 'The same program once more, with a line of configuration changed (client.yaml)'
"$greeter/client" "$greeter/client.yaml" | tee "$scratch/client.out" || die 'the client failed'
cmp -s "$scratch/local.out" "$scratch/together.out" &&
    cmp -s "$scratch/local.out" "$scratch/client.out" || die 'the three do not print the same'
echo 'It printed the same all three times.'

say "$calls calls of get_data, eight at once; worker $worker_a hangs, so that it has some when it is killed"
echo "kill -STOP $worker_a"
kill -STOP "$worker_a"
"$build/examples/api/caller" "$calls" ServiceName >"$scratch/caller.out" 2>"$scratch/caller.log" &
caller=$!
pids+=("$caller")
wait_for 20 grep -q '^100 calls' "$scratch/caller.out" || die 'no calls are answered'
{ # the shell's own word on the death of its child goes nowhere
    kill -KILL "$worker_a"
    wait "$worker_a"
} 2>/dev/null
sed -n '1p' "$scratch/caller.out"
echo "kill -KILL $worker_a"
wait_for 20 workers_are 1 || die 'the dead worker is still listed'
"$build/busbar" services
wait_for 60 grep -q '^sent' "$scratch/caller.out" || die 'the calls do not end'
wait "$caller"
result=$?
cat "$scratch/caller.log" >&2
say 'What became of the calls'
tail -n 1 "$scratch/caller.out"
redispatched=$("$build/busbar" stats | awk '$1 == "redispatched" { print $2 }')
echo "calls that the dead worker had and the other one answered: $redispatched"
[ "$result" -eq 0 ] || die 'not every call was answered'
[ "${redispatched:-0}" -gt 0 ] || die 'the dead worker had no calls'

clean_up
running && die 'a process is left'
say 'Every call was answered, and no process is left.'
