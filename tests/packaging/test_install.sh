#!/bin/bash
# An installed tree is complete: headers, libraries and .pc files suffice to build the examples; and
# uninstalling leaves nothing.
. tests/kit/shell.sh

root=$scratch/root
cc=${CC:-cc}

run_make() {
    make --no-print-directory BUILD="$BUSBAR_BUILD" CC="$cc" CFLAGS="$CFLAGS" \
        CPPFLAGS="$CPPFLAGS" LDFLAGS="$LDFLAGS" DESTDIR="$root" PREFIX=/usr "$@"
}

installed() {
    local file missing=0
    for file in bin/busbard bin/busbar include/busbar/{status,value,client,worker}.h \
        lib/libbusbar-{client,worker}.{a,so,so.0} lib/pkgconfig/libbusbar-{client,worker}.pc; do
        [ -e "$root/usr/$file" ] || { echo "missing: $file"; missing=1; }
    done
    return $missing
}

find_installed() {
    env PKG_CONFIG_PATH="$root/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 "$@"
}

# Alone, in a directory that holds none of our sources.
compiles_alone() {
    echo "#include <busbar/$1>" >"$scratch/alone.$2"
    shift 2
    (cd "$scratch" && "$@" -Wall -Wextra -Werror -pedantic -I"$root/usr/include" -fsyntax-only)
}

build_examples() {
    mkdir -p "$scratch/$1" && cp -r examples "$scratch/$1.source" &&
        find_installed make -s -C "$scratch/$1.source" OUT="$scratch/$1" CC="$cc" CFLAGS=-Werror \
            STATIC="$2" LDFLAGS="$3"
}

loads() {
    find "$scratch/shared" -type f -perm -u+x | while read -r program; do
        LD_LIBRARY_PATH="$root/usr/lib" ldd "$program" | grep 'libbusbar.*not found'
    done
}

files_left() {
    find "$root" ! -type d
    find "$root" -name '*busbar*'
}

check "make install works under DESTDIR and PREFIX" run_make install
check "programs, headers, libraries and .pc files are installed" installed
check "the installed busbard says its version" "$root/usr/bin/busbard" --version
check "the installed busbar says its version" "$root/usr/bin/busbar" --version
grep -rIl -e "$scratch" -e "$PWD" "$root" | check_none "no installed text names where it was built"

for header in "$root"/usr/include/busbar/*.h; do
    name=${header##*/}
    check "<busbar/$name> compiles alone as C11" \
        compiles_alone "$name" c "$cc" -std=c11 "$scratch/alone.c"
    if command -v g++ >/dev/null 2>&1; then
        check "<busbar/$name> compiles alone as C++" \
            compiles_alone "$name" cc g++ -std=c++17 "$scratch/alone.cc"
    else
        echo "skipped - <busbar/$name> as C++: no g++ here"
    fi
done

check "pkg-config knows the version of libbusbar-worker" \
    find_installed pkg-config --atleast-version=0.1 libbusbar-worker
check "the examples build with the installed shared libraries alone" build_examples shared '' ''
loads | check_none "they find the shared libraries by SONAME"
rm -f "$root"/usr/lib/*.so*
check "the examples build with the installed archives alone" build_examples static 1 ''

check "make uninstall works" run_make uninstall
files_left | check_none "make uninstall leaves nothing"
finish
