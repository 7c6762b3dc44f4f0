#!/bin/bash
# `make test-mutants`: puts each fault of the table into the router, alone, and runs the simulation
# against it, which must fail. First, the same without a fault must pass.
# MUTANTS="name …": only those. EVENTS: how many at most. JOBS: at once.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/mutants/table.sh

events=${EVENTS:-4000000}
seed=${BUSBAR_SEED:-20260101}
limit=30 # seconds of one run
work=$BUILD/mutants
names=${MUTANTS:-$(mutant_names)}
rm -rf "$work"
mkdir -p "$work" || exit 2

# OUTPUT…: the simulation, in time; its output into the file.
simulate() {
    { # the shell's own word on a crash goes nowhere
        BUSBAR_SEED=$seed BUSBAR_EVENTS=$events timeout --kill-after=5 "$limit" "$1" >"$2" 2>&1
    } 2>/dev/null
}

# NAME: the simulation with the fault in it. A header changes all that may include it.
build() {
    local name=$1 compiler file source object
    local -a sources=() linked=()
    file=$(mutant_field "$name" file)
    mutant_apply "$name" "$work/$name" || return 1
    case $file in
    *.c) sources=("$file") ;;
    *) mapfile -t sources < <(printf '%s\n' broker/*.c tests/simulation/*.c |
        grep -v -x broker/busbard.c) ;;
    esac
    compiler=${CC/ -I. / -I$work/$name -I. }
    for source in "${sources[@]}"; do
        object=$work/$name/$(tr / _ <<<"$source").o
        mkdir -p "$work/$name/$(dirname "$source")"
        [ -f "$work/$name/$source" ] || cp "$source" "$work/$name/$source"
        eval "$compiler -O1 -w -c $work/$name/$source -o $object" || return 1
        linked+=("$object")
    done
    case $file in *.c) linked+=("$OBJECTS") ;; esac
    eval "$CC -o $work/$name/simulation ${linked[*]} $ARCHIVES $LIBS"
}

# NAME: prints a line of the table.
try() {
    local name=$1 where
    if ! build "$name" >"$work/$name.build" 2>&1; then
        printf '%-44s does not build or apply\n' "$name"
        sed 's/^/    /' "$work/$name.build"
        return
    fi
    simulate "$work/$name/simulation" "$work/$name.output"
    case $? in
    0) printf '%-44s MISSED in %d events\n' "$name" "$events" ;;
    124 | 137) printf '%-44s caught: it did not end in %d s\n' "$name" "$limit" ;;
    *)
        where=$(sed -n 's/^not ok - event \([0-9]*\): \(.*\)/event \1: \2/p' "$work/$name.output")
        printf '%-44s caught at %.80s\n' "$name" "${where:-its end}"
        ;;
    esac
    rm -rf "${work:?}/$name"
}

if ! simulate "$SIMULATION" "$work/none.output"; then
    cat "$work/none.output"
    echo "test-mutants: the router fails without any fault put into it" >&2
    exit 2
fi
printf '%-44s passed %d events, seed %s\n' '(no fault)' "$events" "$seed"

export -f build try simulate mutant_field mutant_apply squeeze
export work events seed limit mutants_table CC OBJECTS ARCHIVES LIBS
read -r -d '' -a names <<<"$names"
printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'try {}' | tee "$work/table"

count=${#names[@]}
caught=$(grep -cE '^[a-z0-9_]+ +caught' "$work/table")
echo "$caught of $count faults caught"
[ "$caught" -eq "$count" ]
