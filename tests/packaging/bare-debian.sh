#!/bin/bash
# Not part of `make test`: copies this tree into a bare Debian 12 with git and make only, made by
# debootstrap, and runs `make test` and `make demo` there.
# As root: bare-debian.sh DIRECTORY [TARGET…]
set -eu
root=$(realpath -m "${1:?the directory of the system to make}")
shift
source=$(realpath "$(dirname "$0")/../..")
mirror=${MIRROR:-http://deb.debian.org/debian}

if [ ! -e "$root.made" ]; then
    debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$root" "$mirror"
    touch "$root.made"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/hosts "$root/etc/hosts"
for setting in ${APT_SETTINGS:-}; do
    cp "$setting" "$root/etc/apt/apt.conf.d/"
done

rm -rf "$root/srv/busbar"
mkdir -p "$root/srv/busbar"
# The files as they are now, committed or not.
git -C "$source" ls-files -z --cached --others --exclude-standard |
    (cd "$source" && xargs -0 cp --parents -t "$root/srv/busbar" 2>/dev/null) || true

run() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
        "$@"
}

run mount -t proc proc /proc 2>/dev/null || true
trap 'run umount /proc 2>/dev/null || true' EXIT
for target in "${@:-test demo}"; do
    for name in $target; do
        echo "== make $name on a bare Debian"
        run make -C /srv/busbar "$name"
    done
done
