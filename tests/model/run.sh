#!/bin/bash
# Checks call.pml with Spin: the protocol as it is holds, and each fault put into it is found. The last
# lines say `PASS model: …` or `FAIL model: …`; VERBOSE=1 shows how each fault shows.
set -u
model=$(realpath "$(dirname "$0")")/call.pml
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
row_seconds=${MODEL_TIMEOUT:-300}
bad=0

# What faults there are at once is bounded, so that all of it can be looked through in seconds.
# name: faults that happen
holds='
late replies, a restart of the broker: RESTARTS=1 LATES=1
a restart of the broker, a worker killed: RESTARTS=1 DEATHS=1
the session of the client is lost, late replies: CUTS=1 LATES=1
workers killed and taken for dead, calls returned: DEATHS=1 SILENCES=1 RETURNS=1 LATES=1
three workers killed, one that refuses: DEATHS=3 REFUSALS=1
three calls, late replies: CALLS=3 LATES=1
no deadline at all, a restart, a worker killed: DEADLINES=0 RESTARTS=1 DEATHS=1 RETURNS=1
'

# A run that never ends would leave a call without outcome, too.
ends='
every run ends: DEADLINES=0 RESTARTS=1 RETURNS=1
'

# name: fault; what is violated; what else happens
fails='
replies are matched by slot alone: NO_GENERATION_CHECK; what==call; LATES=1
generations start again after a restart: NO_EPOCH; what==call; RESTARTS=1 LATES=1
the client forgets that it sent the call before: NO_FATE_OF_BEFORE; executed; RESTARTS=1
the broker forgets the workers before: NO_FATE_OF_ATTEMPTS; executed; SILENCES=1 REFUSALS=1
the broker repeats every call: REPEAT_ALL; executed; DEATHS=1
the client sends every call again: RESEND_ALL; executed; RESTARTS=1
the client does not see that its session is lost: FORGET_LOST; ended; RESTARTS=1 DEADLINES=0
'

words() { # trims
    echo "$1" | xargs
}

# build "define…" compiler options: makes ./pan of the model with no faults but those given.
build() {
    local -a defines=() faults=(DEATHS=0 SILENCES=0 RESTARTS=0 CUTS=0 LATES=0 RETURNS=0 REFUSALS=0)
    local fault
    for fault in "${faults[@]}" $1; do
        defines+=("-D$fault")
    done
    shift
    spin -a "${defines[@]}" "$model" >spin.output 2>&1 &&
        ${CC:-gcc} -w -O1 -DCOLLAPSE -DMEMLIM=1800 "$@" -o pan pan.c 2>>spin.output && return
    cat spin.output
    return 1
}

# verify pan options: the whole state space, within memory and time.
verify() {
    timeout "$row_seconds" ./pan -m10000 "$@" >pan.output 2>&1
    grep -q 'errors: 0' pan.output && ! grep -qE 'search too deep|memory limit|out of memory|aborting' \
        pan.output
}

states() {
    awk '/states, stored/ { print $1 }' pan.output
}

verdict() { # ok? sentence
    if [ "$1" = 0 ]; then
        echo "PASS model: $2"
    else
        echo "FAIL model: $2"
        bad=1
        tail -n 40 pan.output | sed 's/^/    /'
    fi
}

check_holds() {
    : >pan.output
    build "$2" -DSAFETY && verify
    verdict $? "holds: $1 ($(states) states)"
}

check_ends() {
    : >pan.output
    build "$2" -DNP && verify -l
    verdict $? "holds: $1 ($(states) states)"
}

# A fault must be found, and as what it is. The first counterexample found is a shortest one.
check_fails() {
    local violated
    : >pan.output
    rm -f call.pml.trail
    build "$2 $4" -DSAFETY -DBFS && timeout "$row_seconds" ./pan >pan.output 2>&1
    violated=$(sed -n 's/.*assertion violated \(.*\) (at depth.*/\1/p' pan.output)
    case $violated in
    *"$3"*) verdict 0 "found: $1" ;;
    *) verdict 1 "not found: $1" ;;
    esac
    if [ "${VERBOSE:-0}" = 1 ] && [ -f call.pml.trail ]; then
        ./pan -r -S 2>/dev/null | grep -E '^ *(the|call|worker) ' | sed 's/^ */    /'
    fi
}

while IFS=: read -r name faults; do
    [ -z "$name" ] || check_holds "$name" "$(words "$faults")"
done <<<"$holds"
while IFS=: read -r name faults; do
    [ -z "$name" ] || check_ends "$name" "$(words "$faults")"
done <<<"$ends"
while IFS=':;' read -r name fault violated faults; do
    [ -z "$name" ] || check_fails "$name" "$(words "$fault")" "$(words "$violated")" "$(words "$faults")"
done <<<"$fails"

if [ "$bad" = 0 ]; then
    echo "PASS model: all as it should be, $SECONDS s"
else
    echo "FAIL model: $SECONDS s"
fi
exit "$bad"
