#!/bin/bash
# Broker, worker and client under valgrind through 10,000 calls: no leak, no wrong access.
. tests/kit/shell.sh

under_valgrind() {
    exec valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 \
        --suppressions=build-aux/valgrind.supp "$@"
}

# wait_for WORDS FILE: until a line with the words is there, at most a minute.
wait_for() {
    local tenths
    for ((tenths = 0; tenths < 600; tenths++)); do
        grep -q "$1" "$2" 2>/dev/null && return 0
        sleep 0.1
    done
    cat "$2"
    return 1
}

# ends_well PID FILE: a SIGTERM ends it with exit code 0.
ends_well() {
    kill -TERM "$1" && wait "$1"
    local code=$?
    cat "$2"
    return $code
}

(under_valgrind "$BUSBAR_BUILD/busbard" --bind 'tcp://127.0.0.1:*') 2>"$scratch/broker" &
broker=$!
check "busbard starts under valgrind" wait_for broker_ready "$scratch/broker"
endpoint=$(sed -n 's/.*broker_ready endpoint=\([^ ]*\).*/\1/p' "$scratch/broker" | tr -d '"')

(under_valgrind "$BUSBAR_BUILD/tests/programs/plain_worker" "$endpoint") 2>"$scratch/worker" &
worker=$!
for ((tenths = 0; tenths < 300; tenths++)); do
    "$BUSBAR_BUILD/busbar" --broker "$endpoint" services 2>/dev/null | grep -q plain && break
    sleep 0.1
done

client() {
    (under_valgrind "$BUSBAR_BUILD/tests/programs/plain_client" "$endpoint" 10000)
}

check "10,000 calls are answered, and the client leaks nothing" client
check "the worker leaks nothing" ends_well "$worker" "$scratch/worker"
check "the broker leaks nothing" ends_well "$broker" "$scratch/broker"
finish
