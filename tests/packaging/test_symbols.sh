#!/bin/bash
# What the libraries export: busbar_* and nothing else, under their versions and a SONAME.
. tests/kit/shell.sh

exported() {
    nm -D --defined-only --with-symbol-versions "$1" | awk '$2 != "A" { print $NF }'
}

# Public names belong to BUSBAR_0.1, those for libbusbar-worker to the private version.
wrongly_versioned() {
    exported "$1" | awk '
        /^busbar_private_.*@@BUSBAR_PRIVATE_0\.1$/ { next }
        /^busbar_private_/ { print; next }
        !/^busbar_.*@@BUSBAR_0\.1$/ { print }'
}

soname() {
    objdump -p "$1" | awk '$1 == "SONAME" { print $2 }'
}

needs() {
    objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }' | grep -qx "$2"
}

# What public headers declare and the libraries do not define: functions of the form name(…).
declared_and_missing() {
    cat protocol/include/busbar/*.h client-lib/include/busbar/*.h worker-lib/include/busbar/*.h |
        "${CC:-cc}" -std=gnu11 -fpreprocessed -E -P -x c - |
        grep -v -e '^typedef' -e '^static' | grep -o '\bbusbar_[a-z0-9_]*(' | tr -d '(' |
        sort -u >"$scratch/declared"
    for name in client worker; do
        exported "$BUSBAR_BUILD/libbusbar-$name.so"
    done | sed 's/@.*//' | sort -u >"$scratch/defined"
    comm -23 "$scratch/declared" "$scratch/defined"
}

for name in client worker; do
    library=libbusbar-$name
    nm -g --defined-only "$BUSBAR_BUILD/$library.a" |
        awk 'NF == 3 && $3 !~ /^busbar_/ { print $3 }' |
        check_none "$library.a has no global symbol but busbar_*"
    wrongly_versioned "$BUSBAR_BUILD/$library.so" |
        check_none "$library.so exports busbar_* alone, each under its version"
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
declared_and_missing | check_none "each function of the public headers is in a library"
grep -ho '\bbusbar_private_[a-z_]*' protocol/include/busbar/*.h client-lib/include/busbar/*.h \
    worker-lib/include/busbar/*.h | check_none "no public header names a private symbol"
finish
