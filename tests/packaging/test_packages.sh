#!/bin/bash
# What is missing is named where there is no dpkg, for each form in which a package can be looked for.
. tests/kit/shell.sh

# A PATH without dpkg-query, and a list beside a copy of the script.
mkdir "$scratch/bin"
for program in sh awk dirname cut tr sed cat env pkg-config; do
    ln -s "$(command -v $program)" "$scratch/bin/$program"
done
cp build-aux/install-packages.sh "$scratch"
cat >"$scratch/packages.txt" <<'END'
[there]
a-command  !sh
a-library  no-such-module|libzmq
of-python  python:json
of-perl    perl:Getopt::Long
[absent]
a-command  !no-such-command
a-library  no-such-module
of-python  python:no_such_module
of-perl    perl:No::Such::Module
END
cat >"$scratch/absent" <<'END'
busbar: this is not a Debian system; install what provides:
  a-command (command no-such-command)
  a-library (pkg-config module no-such-module)
  of-python (Python module no_such_module)
  of-perl (Perl module No::Such::Module)
END

look_for() {
    PATH=$scratch/bin "$scratch/install-packages.sh" "$@" 2>&1
}

names_what_is_absent() {
    ! look_for there absent >"$scratch/said" && diff "$scratch/absent" "$scratch/said"
}

says_nothing() {
    look_for there >"$scratch/said" && expect_empty "$scratch/said"
}

no_such_section() {
    ! look_for nowhere >"$scratch/said" && grep -F 'no section nowhere' "$scratch/said"
}

check "what is there is found" says_nothing
check "what is absent is named" names_what_is_absent
check "a section that is not there is an error" no_such_section
finish
