#!/bin/bash
# Majordomo clients and workers in Python and in Perl, written from the RFCs alone, and native ones in
# C and in Python: each a process, all on one bus, each calling each.
. tests/kit/shell.sh
. tests/interop/scene.sh

needs python3-zmq $python -c 'import zmq'
needs python3-msgpack $python -c 'import msgpack'
needs libzmq-ffi-perl $perl -e 'require ZMQ::FFI'

cat >"$scratch/broker.yaml" <<'YAML'
majordomo: {heartbeat: {interval: 500ms, liveness: 10}}
services:
  native: {majordomo: {method: upper}}
  python: {majordomo: {method: upper}}
  words_perl: {majordomo: {method_frame: true}}
YAML
beat=(--heartbeat 0.5 --liveness 4 --reconnect 0.2)

python_worker() {
    exec $python tests/interop/mdp_worker.py "${beat[@]}" "$@"
}

perl_worker() {
    exec $perl tests/interop/mdp_worker.pl "${beat[@]}" "$@"
}

# ask CLIENT SERVICE <BODY: what the service's `upper` makes of it.
ask() {
    case $1 in
    'Python 0.1') $python tests/interop/mdp_client.py "$2" ;;
    'Python 0.2') $python tests/interop/mdp_client.py --mdp 0.2 "$2" ;;
    'Perl 0.1') $perl tests/interop/mdp_client.pl "$2" ;;
    'native Python') $python tests/interop/client.py "$2" upper ;;
    'native C') busbar call "$2" upper --body - ;;
    esac
}

# show CLIENT ARGUMENT…: a line for each message that comes, for Majordomo clients.
show() {
    case $1 in
    'Python 0.1') $python tests/interop/mdp_client.py --show "${@:2}" ;;
    'Python 0.2') $python tests/interop/mdp_client.py --show --mdp 0.2 "${@:2}" ;;
    'Perl 0.1') $perl tests/interop/mdp_client.pl --show "${@:2}" ;;
    esac
}

upper() {
    ask "$1" "$2" <"$scratch/$3" | cmp - "$scratch/$3.upper"
}

# All bodies, each by a client of its own, at the same time.
upper_all() {
    local body client asking=() failed=0
    for body in "${bodies[@]}"; do
        upper "$1" "$2" "$body" &
        asking+=($!)
    done
    for client in "${asking[@]}"; do
        wait "$client" || failed=1
    done
    [ $failed -eq 0 ]
}

# has_workers SERVICE COUNT: as `busbar services` shows it.
has_workers() {
    [ "$(busbar services | awk -v name="$1" '$1 == name { print $2 }')" = "$2" ]
}

# SERVICE DIALECT: what `busbar describe` says of it.
described() {
    printf '%s  1 worker of %s\n  any method; the body is raw bytes (busbar call --body)\n' "$1" "$2"
}

# The native calls of docs/majordomo.md, whose worker echoes.
calls_as_it_says() {
    block native docs/majordomo.md >"$scratch/native"
    PATH=$BUSBAR_BUILD:$PATH bash -e "$scratch/native" >"$scratch/said" &&
        printf 'black[{"$bytes": "YmxhY2s="}, {"$bytes": "MQ=="}]\n\221\245black' | cmp - "$scratch/said"
}

open_file_is_right() {
    block open docs/majordomo.md | "$BUSBAR_BUILD/busbard" --check --config -
}

# Each of many requests at once gets its own answer, in whatever order.
pipeline() {
    $python tests/interop/mdp_client.py --pipeline --requests 200 --show "$@" 'call {}' |
        sort | cmp - "$scratch/pipeline.$2"
}

majordomo_services=(python01 python02 perl01)
services=("${majordomo_services[@]}" native python)
names=('Python 0.1' 'Python 0.2' 'Perl 0.1' 'native C' 'native Python')
majordomo_names=("${names[@]:0:3}")
bodies=(empty small large)

printf 'Hello' >"$scratch/small"
printf 'one two three' >"$scratch/words"
head -c 1048576 /dev/urandom >"$scratch/large"
: >"$scratch/empty"
for body in "${bodies[@]}"; do
    LC_ALL=C tr a-z A-Z <"$scratch/$body" >"$scratch/$body.upper"
done
seq -f 'REPLY CALL %g' 0 199 | sort >"$scratch/pipeline.0.1"
seq -f 'FINAL CALL %g' 0 199 | sort >"$scratch/pipeline.0.2"

start_broker 'tcp://127.0.0.1:*' --config "$scratch/broker.yaml"
BUSBAR_BROKER=$(endpoint_of_broker)
export BUSBAR_BROKER
start python01 python_worker --mdp 0.1 python01 upper
start python02 python_worker --mdp 0.2 python02 upper
start perl01 perl_worker perl01 upper
start native "$BUSBAR_BUILD/busbar" serve --method upper native -- tr a-z A-Z
start python $python tests/interop/worker.py
start coffee python_worker --mdp 0.1 coffee echo
start plain "$BUSBAR_BUILD/busbar" serve --method upper plain -- tr a-z A-Z
declare -A processes
start words01 python_worker --mdp 0.1 words01 words
processes[words01]=$started
start parts02 python_worker --mdp 0.2 parts02 parts
processes[parts02]=$started
start words_perl perl_worker words_perl words
processes[words_perl]=$started
start sleepy_python python_worker --mdp 0.2 sleepy sleep
processes[sleepy_python]=$started
start sleepy_perl perl_worker sleepy sleep
processes[sleepy_perl]=$started
for service in "${services[@]}" coffee plain words01 parts02 words_perl; do
    check "busbar services lists the worker of $service" wait_for has_workers "$service" 1
done
check "and workers of two languages and versions of one service" wait_for has_workers sleepy 2
check "busbar describe knows a 0.1 worker in Python" \
    prints "$(described python01 MDP/0.1)" busbar describe python01
check "busbar describe knows a 0.2 worker in Python" \
    prints "$(described python02 MDP/0.2)" busbar describe python02
check "busbar describe knows a 0.1 worker in Perl" \
    prints "$(described perl01 MDP/0.1)" busbar describe perl01

check "native calls on the command line do what docs/majordomo.md says" calls_as_it_says
check "its file for an open endpoint is accepted" open_file_is_right

for w in "${!services[@]}"; do
    for client in "${names[@]}"; do
        check "$client client, ${names[w]} worker: bodies come back" \
            upper_all "$client" "${services[w]}"
    done
done

for client in "${majordomo_names[@]}"; do
    kind=REPLY
    hello='REPLY HELLO'
    if [ "$client" = 'Python 0.2' ]; then
        kind=FINAL
        hello=$'PARTIAL HELLO\nFINAL ' # `busbar serve` gives parts to those that take them
    fi
    for service in words01 words_perl; do
        check "$client client: several frames to $service and back" \
            prints "$kind one two three four" show "$client" $service 'one two' 'three' ' four'
    done
    check "$client client: the first frame names the method, if the broker's file does not" \
        prints "$hello" show "$client" plain upper hello
    for service in perl01 native; do
        check "$client client: mmi.service of $service is 200" \
            prints "$kind 200" show "$client" mmi.service $service
    done
    check "$client client: mmi.service of nobody is 404" \
        prints "$kind 404" show "$client" mmi.service nobody
    check "$client client: there is no other mmi service" \
        prints "$kind 501" show "$client" mmi.weather now
done
check "a 0.2 client gets PARTIALs of a 0.2 worker as such" \
    prints $'PARTIAL one\nPARTIAL two\nFINAL three' show 'Python 0.2' parts02 'one two' three
for client in 'Python 0.1' 'Perl 0.1'; do
    check "$client client: PARTIALs come as one reply" \
        prints 'REPLY one two three' show "$client" parts02 'one two' three
done
check "busbar gets PARTIALs as parts" \
    prints onetwothree busbar call --stream parts02 run --body "$scratch/words"
# A list of byte strings in MessagePack.
printf '\x93\xc4\x03one\xc4\x03two\xc4\x05three' >"$scratch/list"
in_one_list() {
    busbar call "$1" three --body "$2" | cmp - "$scratch/list"
}
check "or, if it takes none, all in one list" in_one_list parts02 "$scratch/words"
printf 'one two' >"$scratch/two_words"
printf '\x93\xc4\x05three\xc4\x03one\xc4\x03two' >"$scratch/list"
check "a worker gets the method as a frame, if the broker's file says so" \
    in_one_list words_perl "$scratch/two_words"
check "200 requests at once of a 0.1 client" pipeline --mdp 0.1 perl01
check "200 requests at once of a 0.2 client" pipeline --mdp 0.2 python01

# A worker dies with a request, and one of another language and version has it next.
busy() {
    grep -l request "$scratch/sleepy_python" "$scratch/sleepy_perl"
}
show 'Perl 0.1' sleepy 1 >"$scratch/slept" 2>&1 &
asked=$!
check "a worker has the request" wait_for busy
dying=$(basename "$(busy)")
kill -KILL "${processes[$dying]}"
check "it is killed, and the request answered" wait "$asked"
check "by the other one" grep -qx 'REPLY slept' "$scratch/slept"
check "which has had it too" test "$(busy | wc -l)" -eq 2

for worker in words01 parts02 words_perl; do
    kill -TERM "${processes[$worker]}"
    check "the worker of $worker ends in order" wait "${processes[$worker]}"
    check "and has said so" \
        wait_for prints 'REPLY 404' show 'Python 0.1' mmi.service $worker
done

kill -STOP "$broker"
for service in "${majordomo_services[@]}"; do
    check "$service notices that the broker is silent" wait_line silence "$service"
done
kill -CONT "$broker"
for service in "${majordomo_services[@]}"; do
    check "$service is back" wait_for has_workers "$service" 1
    check "and is called" upper 'Python 0.1' "$service" small
done

declare -A before
count_disconnects() {
    for service in "${majordomo_services[@]}"; do
        before[$service]=$(grep -c disconnected "$scratch/$service")
    done
}
one_more_disconnect() {
    wait_line disconnected "$1" $((before[$1] + 1))
}

# On the same port, with workers that have not noticed: they are told by the broker.
count_disconnects
kill -KILL "$broker"
wait "$broker" 2>/dev/null
start_broker "$BUSBAR_BROKER" --config "$scratch/broker.yaml"
for w in "${!services[@]}"; do
    check "the next broker has the worker of ${services[w]}" \
        wait_for has_workers "${services[w]}" 1
    check "and a client calls it there" upper "${names[w]}" "${services[w]}" small
done
for service in "${majordomo_services[@]}"; do
    check "$service was told by DISCONNECT" one_more_disconnect "$service"
done

count_disconnects
kill -TERM "$broker"
check "the broker ends in order" wait "$broker"
for service in "${majordomo_services[@]}"; do
    check "$service got a DISCONNECT from the broker that ends" one_more_disconnect "$service"
done
check "without a broker a client says so in time" \
    fails_with 'no answer' $python tests/interop/mdp_client.py --timeout 0.2 python01 hello
finish
