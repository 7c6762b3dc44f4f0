#!/bin/sh
# Installs what was built in $BUILD under $DESTDIR$PREFIX, or takes exactly that away again.
# Argument: install or uninstall. Called by the Makefile, which gives the variables.
# LIBS, what our archives need besides, goes into the .pc files as flags, not as Requires.private:
# so a program can take our archives and the system's shared libraries.
set -eu
action=$1

bindir=${BINDIR:-$PREFIX/bin}
libdir=${LIBDIR:-$PREFIX/lib}
includedir=${INCLUDEDIR:-$PREFIX/include}
mandir=${MANDIR:-$PREFIX/share/man}
configdir=$PREFIX/share/busbar/configs
docdir=$PREFIX/share/doc/busbar

# put MODE SOURCE TARGET
put() {
    if [ "$action" = install ]; then
        install -D -m "$1" "$2" "$DESTDIR$3"
    else
        rm -f "$DESTDIR$3"
    fi
}

# put_link TEXT TARGET
put_link() {
    if [ "$action" = install ]; then
        ln -sf "$1" "$DESTDIR$2"
    else
        rm -f "$DESTDIR$2"
    fi
}

put_library() {
    put 644 "$BUILD/$1.a" "$libdir/$1.a"
    put 644 "$BUILD/$1.so.$VERSION" "$libdir/$1.so.$VERSION"
    put_link "$1.so.$VERSION" "$libdir/$1.so.$SOVERSION"
    put_link "$1.so.$SOVERSION" "$libdir/$1.so"
    if [ "$action" = install ]; then
        sed -e "s|@PREFIX@|$PREFIX|" -e "s|@VERSION@|$VERSION|" -e "s|@LIBS@|$LIBS|" \
            -e "s|@LIBDIR@|$libdir|" -e "s|@INCLUDEDIR@|$includedir|" \
            "build-aux/$1.pc.in" >"$BUILD/$1.pc"
    fi
    put 644 "$BUILD/$1.pc" "$libdir/pkgconfig/$1.pc"
}

for program in busbard busbar; do
    put 755 "$BUILD/$program" "$bindir/$program"
done
put_library libbusbar-client
put_library libbusbar-worker
put_library libbusbar-broker
for header in */include/busbar/*.h; do
    put 644 "$header" "$includedir/busbar/${header##*/}"
done
for config in configs/*.yaml; do
    [ ! -f "$config" ] || put 644 "$config" "$configdir/${config##*/}"
done
for page in docs/*.md; do
    put 644 "$page" "$docdir/${page##*/}"
done
for page in docs/*.[1-8]; do
    [ ! -f "$page" ] || put 644 "$page" "$mandir/man${page##*.}/${page##*/}"
done

if [ "$action" = uninstall ]; then
    # Ours alone; a directory that others share stays.
    for directory in "$includedir/busbar" "$configdir" "${configdir%/*}" "$docdir"; do
        rmdir "$DESTDIR$directory" 2>/dev/null || true
    done
fi

# So that programs find libraries in a directory of the linker's list at once. Not under DESTDIR,
# which is another machine's; and for others than root it cannot work.
if [ -z "$DESTDIR" ]; then
    PATH=$PATH:/usr/sbin:/sbin ldconfig 2>/dev/null || true
fi
