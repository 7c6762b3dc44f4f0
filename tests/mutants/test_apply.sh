#!/bin/bash
# Each fault of the table still finds its text in the router, once; `make test-mutants` runs them.
. tests/kit/shell.sh
. tests/mutants/table.sh

unfit() {
    mutant_names | while read -r name; do
        mutant_apply "$name" "$scratch"
    done
}

unfit | check_none "each fault can be put into the source it names"
mutant_names | sort | uniq -d | check_none "no two faults have one name"
check "there are at least 12 faults" test "$(mutant_names | wc -l)" -ge 12
finish
