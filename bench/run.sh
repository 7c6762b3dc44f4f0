#!/bin/bash
# Busbar beside its peers on this machine: the same work through each of them, in turns, in rounds.
# Prints a table of medians, and what is promised beside what was reached; build/bench/ has the runs,
# the table, JSON and a chart, each replaced by the next run.
#   run.sh [quick]    quick: Busbar and zmq_proxy alone, two cases, a minute; into build/bench/quick/
# ROUNDS=5  LIMIT=2 (seconds of one measurement)  SYSTEMS="zmq_proxy busbar …"  CASES=REGEX  OUT=DIRECTORY
# RATIOS=FILE  also writes `CASE.KEY RATIO` there: of Busbar to zmq_proxy
# Exit code 0 whether the bounds are met or not, 2 if there is nothing to measure.
set -eu
cd "$(dirname "$0")/.."

build=${BUSBAR_BUILD:-build}
load=$build/bench/load
rounds=${ROUNDS:-5}
limit=${LIMIT:-2}
life=60        # seconds after which a measurement has failed
light_life=400 # the same for those that take as long as their calls do
light_calls=${LIGHT_CALLS:-100000}
quick='^tcp-1x1-64-(1000|1)$'

die() {
    echo "bench: $*" >&2
    exit 2
}

for program in "$build/busbard" "$load"; do
    [ -x "$program" ] || die "$program is missing: run make bench"
done
for number in ROUNDS="$rounds" LIMIT="$limit"; do
    [[ ${number#*=} =~ ^[1-9][0-9]*$ ]] ||
        die "${number%%=*} must be a whole number from 1 on, not \"${number#*=}\""
done
case ${1:-} in
'') out=${OUT:-$build/bench} ;;
quick)
    out=${OUT:-$build/bench/quick}
    : "${CASES:=$quick}" "${SYSTEMS:=zmq_proxy busbar}"
    ;;
*) die "quick is all that can follow, not \"$1\"" ;;
esac
for system in ${SYSTEMS:-}; do
    "$load" systems 2>&1 | grep -qE "^(left out: )?$system(:|$)" || die "there is no system '$system'"
done
systems=${SYSTEMS:-$("$load" systems 2>/dev/null | grep -v majordomo)}
with_ipc=' zmq_proxy busbar redis '

# TRANSPORT: the systems that have it.
systems_of() {
    for system in $systems; do
        [ "$1" = tcp ] || [[ $with_ipc == *" $system "* ]] || continue
        echo "$system"
    done
}

# Prints a line for each case: name|systems|options of the driver.
all_cases() {
    local transport shape size window outstanding
    for transport in tcp ipc; do
        for shape in 1 4; do
            for size in 64:1000 1024:1000 65536:100 1048576:16; do
                window=${size#*:}
                for outstanding in "$window" 1; do
                    echo "$transport-${shape}x$shape-${size%:*}-$outstanding|$(systems_of $transport |
                        tr '\n' ' ')|--transport $transport --clients $shape --workers $shape" \
                        "--size ${size%:*} --outstanding $outstanding --seconds $limit"
                done
            done
        done
        echo "$transport-256x1-64-1|$(systems_of $transport | tr '\n' ' ')|--transport $transport" \
            "--clients 256 --client-processes 4 --outstanding 1 --seconds $limit"
        # Ten workers in one process, each with a connection of its own.
        echo "$transport-1x10-64-1000|majordomo majordomo_plain majordomo_lean majordomo_plain_lean|" \
            "--transport $transport --workers 10" \
            "--worker-processes 1 --seconds $limit"
    done
    local number
    for number in 10 10000; do
        echo "idle-$number|zmq_proxy busbar|--idle $number --seconds $limit"
    done
    for number in 10 100 1000 10000; do
        echo "services-$number|busbar|--services $number --seconds $limit"
    done
    for number in 1 4 16 64; do
        echo "workers-$number|zmq_proxy busbar|--workers $number --seconds $limit"
    done
    local light="--outstanding 1 --calls $light_calls"
    echo "light-quiet|busbar|$light"
    echo "light-same|busbar|$light --flood 20000"
    echo "light-other|busbar|$light --flood 20000 --flood-service bench.other"
}

# Those that CASES names, with the systems that SYSTEMS does, if it names any.
cases() {
    all_cases | awk -F '|' -v OFS='|' -v only="${CASES:-.}" -v wanted=" ${SYSTEMS:-} " '
        $1 !~ only { next }
        wanted ~ /[^ ]/ {
            count = split($2, systems, " ")
            $2 = ""
            for (i = 1; i <= count; i++)
                if (index(wanted, " " systems[i] " "))
                    $2 = $2 systems[i] " "
        }
        $2 != ""'
}

versions() {
    local packages='libzmq5 nats-server libnats3.4 gearman-job-server libgearman8 rabbitmq-server
        librabbitmq4 redis-server libhiredis0.14'
    # shellcheck disable=SC2086 # package names are words
    dpkg-query -W -f '${Package} ${Version}\n' $packages 2>/dev/null | tr '\n' ',' |
        sed 's/,$//; s/,/, /g'
}

machine() {
    printf 'machine: %s cores, %s, kernel %s, load before %s\n' "$(nproc)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" \
        "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf 'commit: %s%s; %s\n' "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" \
        "$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')" "$(versions)"
    printf 'rounds: %s, of %s s for each system and case\n' "$rounds" "$limit"
}

declare -A failures

# CASE SYSTEM ROUND OPTION…: adds a line to the runs. What fails twice is not tried again.
measure() {
    local name=$1 system=$2 round=$3 line code=0 seconds=$life
    [[ $name != light-* ]] || seconds=$light_life
    shift 3
    [ "${failures[$name $system]:-0}" -lt 2 ] || return 0
    line=$(timeout "$seconds" "$load" "$system" "$@" 2>"$out/errors") || code=$?
    if [ "$code" -eq 0 ]; then
        echo "${line/\{/\{\"case\": \"$name\", \"round\": $round, }" >>"$out/runs.jsonl"
        echo "  $name $system: $(sed 's/.*"calls": //; s/"//g; s/}//' <<<"$line")" >&2
        return
    fi
    [ "$code" -ne 124 ] || echo "no result in $seconds s" >"$out/errors"
    failures[$name $system]=$((${failures[$name $system]:-0} + 1))
    echo "left out: $system in $name, round $round: $(sed -n 1p "$out/errors")" | tee -a "$out/left_out" >&2
}

# NAME SYSTEMS OPTIONS ROUND: all systems of a case, in one order or the other.
run_case() {
    local order=$2
    [ $(($4 % 2)) -eq 1 ] || order=$(tr ' ' '\n' <<<"$2" | tac | tr '\n' ' ')
    for system in $order; do
        # shellcheck disable=SC2086 # the options are words
        measure "$1" "$system" "$4" $3
    done
}

plan=$(cases)
[ -n "$plan" ] || die "no case with CASES='${CASES:-.}' and SYSTEMS='${SYSTEMS:-}'; the cases are" \
    "$(all_cases | cut -d '|' -f 1 | tr '\n' ' ')"
mkdir -p "$out"
: >"$out/runs.jsonl"
: >"$out/left_out"
[ -n "${SYSTEMS:-}" ] || "$load" systems 2>"$out/left_out" >/dev/null
machine >"$out/machine"
cat "$out/machine" "$out/left_out" >&2
for round in $(seq "$rounds"); do
    echo "round $round of $rounds" >&2
    while IFS='|' read -r name which options; do
        run_case "$name" "$which" "$options" "$round" </dev/null
    done <<<"$plan"
done

results() {
    awk -v unit=zmq_proxy -f bench/results.awk -f "bench/$1.awk" "$out/runs.jsonl"
}
{
    cat "$out/machine"
    results table
    awk -v unit=zmq_proxy -v targets=bench/targets.txt -f bench/results.awk -f bench/promised.awk \
        "$out/runs.jsonl"
    cat "$out/left_out"
} | tee "$out/table.txt"
results json >"$out/results.json"
results chart >"$out/chart.svg"
[ -z "${RATIOS:-}" ] || results ratios >"$RATIOS"
