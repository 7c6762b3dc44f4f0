#!/bin/bash
# The runner of the tests counts what fails, one program at a time or several.
. tests/kit/shell.sh

mkdir "$scratch/tests"
program() {
    cat >"$scratch/tests/$1.sh"
}
echo 'echo "ok - one"; echo "ok - two"' | program good
echo 'sleep 0.2; echo "ok - late"' | program late
echo 'echo "not ok - this"; exit 1' | program bad
echo 'exit 3' | program silent
echo 'sleep 30' | program endless
echo 'echo "skipped - no such machine"' | program skipped
program flaky <<END
[ ! -e "$scratch/flag" ] || { echo "ok - flaky"; exit 0; }
touch "$scratch/flag"
echo "not ok - flaky"
exit 1
END

# run ENVIRONMENT… -- PROGRAM…: the runner's output in $scratch/run; its exit code.
run() {
    local -a environment=() programs=()
    while [ "$1" != -- ]; do
        environment+=("$1")
        shift
    done
    shift
    for name in "$@"; do programs+=("$scratch/tests/$name.sh"); done
    rm -f "$scratch/flag"
    env "${environment[@]}" TEST_TIMEOUT=1 tests/run-tests.sh "${programs[@]}" >"$scratch/run" 2>&1
}

# says CODE LINE ENVIRONMENT… -- PROGRAM…: it exits with the code, and a line of it is this one.
says() {
    local code=$1 line=$2 got
    shift 2
    run "$@"
    got=$?
    cat "$scratch/run"
    [ "$got" -eq "$code" ] && grep -qFx -- "$line" "$scratch/run"
}

in_order() {
    run TEST_JOBS=3 -- late good skipped
    [ "$(sed -n 's,^tests/\([a-z]*\)\.sh.*,\1,p' "$scratch/run" | tr '\n' ' ')" = 'late good skipped ' ]
}

for jobs in 1 2; do
    check "$jobs at a time: all is well" \
        says 0 '3 passed, 0 failed' TEST_JOBS=$jobs -- late good skipped
    check "$jobs at a time: each way to fail counts" \
        says 1 '2 passed, 3 failed' TEST_JOBS=$jobs -- bad silent endless good
    check "$jobs at a time: what failed is named at the end" \
        says 1 'failed: tests/silent.sh, exit code 3' TEST_JOBS=$jobs -- silent good
    check "$jobs at a time: there is no second run unless it is asked for" \
        says 1 '2 passed, 1 failed' TEST_JOBS=$jobs TEST_AGAIN= -- flaky good
    check "$jobs at a time: a second run decides" \
        says 0 '3 passed, 0 failed' TEST_JOBS=$jobs TEST_AGAIN=1 -- flaky good
    check "$jobs at a time: what fails twice has failed" \
        says 1 '2 passed, 1 failed' TEST_JOBS=$jobs TEST_AGAIN=1 -- bad good
done
check "what was said is printed in order" in_order
check "no number of jobs is refused" \
    says 2 'TEST_JOBS must be a whole number from 1 on, not "none"' TEST_JOBS=none -- good
finish
