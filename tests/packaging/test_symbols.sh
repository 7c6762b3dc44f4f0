#!/bin/bash
# What the libraries export: busbar_* and nothing else, under their versions and a SONAME.
. tests/kit/shell.sh

exported() {
    nm -D --defined-only --with-symbol-versions "$1" | awk '$2 != "A" { print $NF }'
}

# What each library may export: libbusbar-broker holds the internals of the others, too, and must not
# get in their way.
prefix() {
    case $1 in
    broker) echo busbar_broker_ ;;
    *) echo busbar_ ;;
    esac
}

# Public names belong to BUSBAR_0.1, those for libbusbar-worker to the private version.
wrongly_versioned() {
    exported "$BUSBAR_BUILD/libbusbar-$1.so" | awk -v prefix="$(prefix "$1")" '
        /^busbar_private_.*@@BUSBAR_PRIVATE_0\.1$/ { next }
        /^busbar_private_/ { print; next }
        !($0 ~ "^" prefix ".*@@BUSBAR_0\\.1$") { print }'
}

soname() {
    objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'
}

needs() {
    objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }' | grep -qx "$2"
}

# What public headers declare and the libraries do not define: functions of the form name(…).
declared_and_missing() {
    cat */include/busbar/*.h |
        "${CC:-cc}" -std=gnu11 -fpreprocessed -E -P -x c - |
        grep -v -e '^typedef' -e '^static' | grep -o '\bbusbar_[a-z0-9_]*(' | tr -d '(' |
        sort -u >"$scratch/declared"
    for name in client worker broker; do
        exported "$BUSBAR_BUILD/libbusbar-$name.so"
    done | sed 's/@.*//' | sort -u >"$scratch/defined"
    comm -23 "$scratch/declared" "$scratch/defined"
}

for name in client worker broker; do
    library=libbusbar-$name
    nm -g --defined-only "$BUSBAR_BUILD/$library.a" |
        awk -v prefix="$(prefix $name)" 'NF == 3 && $3 !~ "^" prefix { print $3 }' |
        check_none "$library.a has no global symbol but $(prefix $name)*"
    wrongly_versioned $name |
        check_none "$library.so exports $(prefix $name)* alone, each under its version"
    check "$library.so exports something" test -n "$(exported "$BUSBAR_BUILD/$library.so")"
    check "$library.so has the SONAME $library.so.0" \
        test "$(soname "$BUSBAR_BUILD/$library.so")" = "$library.so.0"
    check "the SONAME of $library.so can be loaded" \
        test "$BUSBAR_BUILD/$library.so" -ef "$BUSBAR_BUILD/$library.so.0"
done

exported "$BUSBAR_BUILD/libbusbar-worker.so" | grep '^busbar_private_' |
    check_none "libbusbar-worker.so has no private symbols of its own"
check "libbusbar-worker.so uses libbusbar-client.so" \
    needs "$BUSBAR_BUILD/libbusbar-worker.so" libbusbar-client.so.0
check_opened_alone() {
    ! needs "$BUSBAR_BUILD/libbusbar-worker.so" libbusbar-broker.so.0 &&
        ! needs "$BUSBAR_BUILD/libbusbar-broker.so" libbusbar-client.so.0
}
check "libbusbar-broker.so and the other libraries do not need each other" check_opened_alone
declared_and_missing | check_none "each function of the public headers is in a library"
grep -ho '\bbusbar_private_[a-z_]*' */include/busbar/*.h |
    check_none "no public header names a private symbol"
finish
