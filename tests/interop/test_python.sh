#!/bin/bash
# A client and a worker in Python, written from docs/protocol.md alone, on a bus with the C programs.
. tests/kit/shell.sh
. tests/interop/scene.sh

needs python3-zmq $python -c 'import zmq'
needs python3-msgpack $python -c 'import msgpack'

client() {
    $python tests/interop/client.py "$@"
}

echoes() {
    client echo run <"$1" | cmp - "$1"
}

start_broker 'tcp://127.0.0.1:*'
BUSBAR_BROKER=$(endpoint_of_broker)
export BUSBAR_BROKER
start echo "$BUSBAR_BUILD/busbar" serve echo -- cat
start slow "$BUSBAR_BUILD/busbar" serve slow -- sleep 5
start worker $python tests/interop/worker.py
worker=$started
check "the Python worker is registered" wait_line registered worker
check "busbar serve is registered" wait_line serving echo
check "so is the slow one" wait_line serving slow

printf 'Hello' >"$scratch/small"
head -c 3000000 /dev/urandom >"$scratch/large"
: >"$scratch/empty"
for body in small large empty; do
    check "the Python client gets a $body body back" echoes "$scratch/$body"
done
check "the Python client is told that there is no such service" \
    fails_with 'NO_SERVICE (not executed)' client nobody run
check "the Python client is told that there is no such method" \
    fails_with 'NO_METHOD (not executed)' client echo walk
check "the Python client is told that the deadline passed" \
    fails_with 'TIMEOUT (maybe executed)' client --timeout 300 slow run
check "the Python client sends and gets values" \
    prints 42 client --values '[40, 2]' python add
check "the broker answers the Python client itself" \
    fails_with NO_SERVICE client --values '["nobody"]' bus lookup

check "busbar calls the Python worker with values" prints 5 busbar call python add 2 3
check "busbar describes the Python worker" \
    prints 'add(ll>l)' bash -c "'$BUSBAR_BUILD/busbar' describe python | grep -o 'add([^ ]*)'"
check "busbar calls the Python worker with a raw body" \
    prints HELLO busbar call python upper --body "$scratch/small"
large_upper() {
    busbar call python upper --body "$scratch/large" | cmp - <(LC_ALL=C tr a-z A-Z <"$scratch/large")
}
check "the Python worker takes and gives an attached body" large_upper
check "busbar is told what the Python worker raised" \
    fails_with 'APP_ERROR (executed)' busbar call --json python add 1 '"two"'

# Without a BYE, and on the same port: the worker learns it from its heartbeats.
kill -KILL "$broker"
wait "$broker" 2>/dev/null
check "without a broker the Python client says so in time" \
    fails_with 'BROKER_LOST (not executed)' client --timeout 300 echo run
start_broker "$BUSBAR_BROKER"
check "the Python worker registers with the next broker" wait_line registered worker 2
check "and is called there" prints 5 busbar call python add 2 3

busbar call python nap 0.7 >"$scratch/nap" 2>&1 &
nap=$!
sleep 0.2
busbar call python nap 0.7 >"$scratch/next" 2>&1 &
next=$!
sleep 0.2
kill -TERM "$worker"
check "a call that runs when the Python worker is stopped is answered" wait $nap
check "with its result" grep -q rested "$scratch/nap"
not_executed() {
    ! wait "$next" && grep -F 'NO_SERVICE (not executed)' "$scratch/next"
}
check "one that it had not started goes back" not_executed
check "the Python worker ends in order" wait "$worker"
check "no call was lost with a worker" \
    prints 0 bash -c "'$BUSBAR_BUILD/busbar' stats | sed -n 's/.*outcome_worker_lost *//p'"
finish
