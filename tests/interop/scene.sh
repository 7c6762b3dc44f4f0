# For the tests of peers in other languages: a broker and its peers, each a process, with their
# output in files. To be read after tests/kit/shell.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # what is set here or used is others'

export PYTHONDONTWRITEBYTECODE=1
# The system's own: that is where the packages put their modules.
python=/usr/bin/python3
perl=/usr/bin/perl

# needs PACKAGE COMMAND…: without the package there is no test, and that is a failure.
needs() {
    local package=$1
    shift
    "$@" 2>/dev/null && return
    echo "not ok - the package $package is installed (\`make test\` installs it, or says how)"
    exit 1
}

# start NAME COMMAND…: in the background, its output in $scratch/NAME; sets started.
start() {
    local name=$1
    shift
    : >"$scratch/$name"
    "$@" >>"$scratch/$name" 2>&1 &
    started=$!
    pids+=("$started")
}

# wait_line PATTERN FILE [TIMES]: until so many lines have it, at most 10 s.
wait_line() {
    for ((i = 0; i < 500; i++)); do
        [ "$(grep -c "$1" "$scratch/$2")" -lt "${3:-1}" ] || return 0
        sleep 0.02
    done
    cat "$scratch/$2"
    return 1
}

# start_broker ENDPOINT [OPTION…]: sets broker.
start_broker() {
    start broker "$BUSBAR_BUILD/busbard" --bind "$@"
    broker=$started
    wait_line broker_ready broker || exit 1
}

endpoint_of_broker() {
    sed -n 's/.*broker_ready endpoint=//p' "$scratch/broker"
}

busbar() {
    "$BUSBAR_BUILD/busbar" "$@"
}

# prints TEXT COMMAND…
prints() {
    local text=$1
    shift
    "$@" >"$scratch/said" 2>&1 </dev/null
    cat "$scratch/said"
    [ "$(cat "$scratch/said")" = "$text" ]
}

# fails_with TEXT COMMAND…: the command fails, and says this.
fails_with() {
    local text=$1
    shift
    ! "$@" >"$scratch/said" 2>&1 </dev/null && grep -F "$text" "$scratch/said" && return 0
    cat "$scratch/said"
    return 1
}
