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
    for file in bin/busbard bin/busbar \
        include/busbar/{status,value,client,object,worker,app,broker}.h \
        lib/libbusbar-{client,worker,broker}.{a,so,so.0} \
        lib/pkgconfig/libbusbar-{client,worker,broker}.pc; do
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
        LD_LIBRARY_PATH="$root/usr/lib" ldd "$program" 2>/dev/null | grep 'libbusbar.*not found'
    done
}

# A program with a broker inside, by a file that says so.
cat >"$scratch/embed.c" <<'C'
#include <busbar/app.h>

int main(int argc, char **argv)
{
    struct busbar_app *app = NULL;
    struct busbar_value *result = NULL;
    if (argc != 2 || busbar_app_load(&app, argv[1]) != BUSBAR_OK ||
        busbar_call(busbar_app_object(app, "service"), "pow", &result, "dd", 2.0, 10.0) != BUSBAR_OK)
        puts(busbar_last_error());
    else
        printf("%g\n", busbar_value_as_double(result));
    busbar_value_destroy(&result);
    busbar_app_destroy(&app);
    return 0;
}
C
cat >"$scratch/embed.yaml" <<'YAML'
broker: {embed: "tcp://127.0.0.1:*"}
objects:
  math: {library: libm.so.6, functions: {pow: "dd>d"}}
  service: {proxy: math}
exports:
  - {name: math, object: math}
YAML

# build_embed NAME PACKAGES [FLAG…]
build_embed() {
    local name=$1 packages=$2 libs
    shift 2
    # shellcheck disable=SC2086
    libs=$(find_installed pkg-config --libs $packages "$@") || return
    # shellcheck disable=SC2046,SC2086
    "$cc" $CFLAGS -Werror $(find_installed pkg-config --cflags $packages) \
        -o "$scratch/$name" "$scratch/embed.c" -Wl,-rpath,"$root/usr/lib" $LDFLAGS \
        $(if [ $# -gt 0 ]; then
            echo "$libs" | sed 's/-lbusbar-\([a-z]*\)/-l:libbusbar-\1.a/g'
        else
            echo "$libs"
        fi)
}

# says NAME TEXT: what the program prints has the text.
says() {
    local output
    output=$(timeout 60 "$scratch/$1" "$scratch/embed.yaml" 2>&1)
    echo "$output"
    [ "${output#*"$2"}" != "$output" ]
}

says_either() {
    says "$1" "$2" || says "$1" "$3"
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
check "a program that may embed a broker builds with the shared libraries" \
    build_embed embed-shared libbusbar-worker
check "it opens libbusbar-broker from beside the other libraries" says embed-shared 1024
check "a program builds with the archives, but for that of the broker" \
    build_embed embed-opening libbusbar-worker --static
LD_LIBRARY_PATH=$root/usr/lib check "it opens that where the loader finds it" \
    says embed-opening 1024
rm -f "$root"/usr/lib/*.so*
check "the examples build with the installed archives alone" build_examples static 1 ''
check "a program builds with all archives" \
    build_embed embed-static "libbusbar-worker libbusbar-broker" --static
check "it has a broker inside and opens none" says embed-static 1024
check "one without says by name which library it has not found, if this machine has none" \
    says_either embed-opening "libbusbar-broker.so.0" 1024

check "make uninstall works" run_make uninstall
files_left | check_none "make uninstall leaves nothing"
finish
