#!/bin/bash
# The regression guard can fail: its comparison with made-up numbers, and its reading of a made-up
# profile. `make bench-guard` counts.
. tests/kit/shell.sh

unset SANITIZE UPDATE
export CC=${CC:-gcc} FLAGS=-O2 FIGURES=$scratch/figures MEASURE="cat $scratch/measured"

# guard NUMBER…: exit code and output of the guard that counts these, one for each path of `paths`.
paths='codec/call router/call client/one'
guard() {
    local path
    for path in $paths; do
        [ -z "${1:-}" ] || echo "$path $1"
        shift
    done >"$scratch/measured"
    bench/guard/run.sh >"$scratch/output" 2>&1
}

passes() { guard "$@" || { cat "$scratch/output" && return 1; }; }

# fails TEXT NUMBER…: and what is printed has the text.
fails() {
    local text=$1
    shift
    if guard "$@"; then
        echo "it passed"
        return 1
    fi
    said "$text"
}

said() { grep -F -e "$1" "$scratch/output" || { cat "$scratch/output" && return 1; }; }

# skips TEXT: numbers that would fail do not, since the figures are not for them.
skips() { passes 1 1 1 && said "skipped" && said "$1"; }

UPDATE=1 guard 200.0 1000.0 3000.0
check "figures are written" grep -qx 'router/call 1000.0' "$FIGURES"
check "with the flags that they hold for" grep -qx 'flags: -O2' "$FIGURES"

# what is told | numbers | passes, or what is printed on failure
table='the same numbers pass|200.0 1000.0 3000.0|passes
5 % more pass|210.0 1050.0 3150.0|passes
5 % fewer pass|190.0 950.0 2850.0|passes
one path with more fails|200.0 1050.1 3000.0|TOO MANY
the last path with more fails|200.0 1000.0 3200.0|TOO MANY
one path with fewer fails|189.9 1000.0 3000.0|fewer: lower the figure
a path in which nothing was counted fails|0 1000.0 3000.0|nothing was counted
a path that was not measured fails|200.0 1000.0|was not measured
a number that is none fails|200.0 nan 3000.0|was not measured
no number at all fails||nothing was measured'
while IFS='|' read -r sentence numbers expected; do
    # shellcheck disable=SC2086  # each number is a word
    case $expected in
    passes) check "$sentence" passes $numbers ;;
    *) check "$sentence" fails "$expected" $numbers ;;
    esac
done <<<"$table"

sed -i '/^router/d' "$FIGURES"
check "a path without a figure fails" fails "has no figure" 200.0 1000.0 3000.0
UPDATE=1 guard 200.0 1000.0 3000.0
check "a measurement that fails is a failure" env MEASURE=false bash -c '! bench/guard/run.sh'

FLAGS=-O3 check "other flags are no failure" skips "flags: -O2"
SANITIZE=address check "a sanitizer is no failure" passes 1 1 1
sed -i 's/^compiler: .*/compiler: 1.0/' "$FIGURES"
check "another compiler is no failure" skips "compiler: 1.0"
UPDATE=1 guard 100.0 500.0 1500.0
check "figures are written for the compiler that is here" passes 100.0 500.0 1500.0
check "and the old ones hold no longer" fails "TOO MANY" 200.0 1000.0 3000.0

cat >"$scratch/profile" <<'END'
events: Ir

ob=/somewhere/guard/router
fl=router.c
fn=counted_call
10 5
cob=/usr/lib/libzmq.so.5
cfn=send
calls=2 0
11 1000
12 7
fn=other
13 20
ob=/usr/lib/libzmq.so.5
fn=send
0 400
cob=/usr/lib/libc.so.6
cfn=memcpy
calls=2 0
0 600
ob=/usr/lib/libc.so.6
fn=memcpy
0 300

totals: 732
END
counted=$(awk -v program=router -f bench/guard/count.awk "$scratch/profile")
check "the program and the C library are counted, each once" test "$counted" = 332

# The committed figures are of the paths that there are.
sed -n 's/.*\.name = "\([a-z]*\/[a-z]*\)".*/\1/p' bench/guard/*.c | sort >"$scratch/paths"
sed -n 's/^\([a-z]*\/[a-z]*\) [0-9.]*$/\1/p' bench/guard/figures.txt | sort |
    diff - "$scratch/paths" | check_none "each path has a figure, and each figure a path"
check "there are at least 8 paths" test "$(wc -l <"$scratch/paths")" -ge 8
finish
