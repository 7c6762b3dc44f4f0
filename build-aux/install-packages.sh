#!/bin/sh
# Installs what is missing of the sections of packages.txt named as arguments (default: build).
# Nothing missing: no apt, no network. BUSBAR_NO_INSTALL=1 or no right to install: prints the one
# command to run and exits 1.
# --each, as first argument: for packages that can be done without; each is tried alone, those that
# cannot be had are named, and the exit code is 0.
set -eu

each=0
if [ "${1:-}" = --each ]; then
    each=1
    shift
fi

list="$(dirname "$0")/packages.txt"
lock_seconds=300

# Prints "package check" for each line of the sections asked for.
wanted() {
    awk -v sections=" ${*:-build} " '
        /^#/ || NF == 0 { next }
        /^\[/ { name = substr($1, 2, length($1) - 2); found[name] = 1; next }
        index(sections, " " name " ") { print $1, $2 }
        END {
            count = split(sections, asked, " ")
            for (i = 1; i <= count; i++)
                if (!(asked[i] in found)) {
                    print "no section " asked[i] " in packages.txt" > "/dev/stderr"
                    exit 1
                }
        }' "$list"
}

missing_by_dpkg() {
    # shellcheck disable=SC2046  # package names are words
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(echo "$1" | cut -d' ' -f1) 2>/dev/null |
        awk -v wanted="$(echo "$1" | cut -d' ' -f1 | tr '\n' ' ')" '
            $2 == "installed" { installed[$1] = 1 }
            END {
                count = split(wanted, names, " ")
                for (i = 1; i <= count; i++)
                    if (!(names[i] in installed))
                        print names[i]
            }'
}

missing_by_probe() {
    echo "$1" | while read -r package check; do
        case $check in
        !*) command -v "${check#!}" >/dev/null 2>&1 || echo "$package (command ${check#!})" ;;
        python:*)
            /usr/bin/python3 -c "import ${check#python:}" 2>/dev/null ||
                echo "$package (Python module ${check#python:})"
            ;;
        perl:*)
            /usr/bin/perl -e "require ${check#perl:}" 2>/dev/null ||
                echo "$package (Perl module ${check#perl:})"
            ;;
        *)
            for module in $(echo "$check" | tr '|' ' '); do
                pkg-config --exists "$module" 2>/dev/null && continue 2
            done
            echo "$package (pkg-config module $check)"
            ;;
        esac
    done
}

install_command() {
    echo "apt-get update && ${1}apt-get install -y --no-install-recommends $missing"
}

# apt-get as root, or through sudo where it needs no password or a person can type one.
apt() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive apt-get -o "DPkg::Lock::Timeout=$lock_seconds" "$@"
    else
        sudo env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get \
            -o "DPkg::Lock::Timeout=$lock_seconds" "$@"
    fi
}

may_install() {
    [ "${BUSBAR_NO_INSTALL:-0}" != 1 ] || return 1
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null 2>&1 || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

# The index has a candidate for every missing package, and apt can fetch it as listed.
# shellcheck disable=SC2086  # package names are words
install_with_known_index() {
    apt-cache show --no-all-versions $missing >/dev/null 2>&1 || return 1
    apt install -y --no-install-recommends $missing
}

# The lock on the index has no option to wait for it.
update_index() {
    errors=$(mktemp)
    waited=0
    while ! LC_ALL=C apt update 2>"$errors"; do
        cat "$errors" >&2
        if ! grep -q 'Could not get lock' "$errors" || [ "$waited" -ge "$lock_seconds" ]; then
            break
        fi
        sleep 5
        waited=$((waited + 5))
    done
    rm -f "$errors"
}

wanted=$(wanted "$@")

if ! command -v dpkg-query >/dev/null 2>&1; then
    missing=$(missing_by_probe "$wanted")
    [ -n "$missing" ] || exit 0
    echo "busbar: this is not a Debian system; install what provides:" >&2
    echo "$missing" | sed 's/^/  /' >&2
    exit $((1 - each))
fi

missing=$(missing_by_dpkg "$wanted" | tr '\n' ' ' | sed 's/ $//')
[ -n "$missing" ] || exit 0

if ! may_install; then
    if [ "$(id -u)" -eq 0 ]; then sudo=; else sudo='sudo '; fi
    echo "busbar: packages are missing: $missing" >&2
    echo "busbar: install them with:" >&2
    echo "  ${sudo}$(install_command "$sudo")" >&2
    exit $((1 - each))
fi

echo "busbar: installing through apt: $missing"
if install_with_known_index; then
    exit 0
fi
if [ "$each" = 1 ]; then
    update_index
    for package in $missing; do
        missing=$package
        install_with_known_index || echo "busbar: cannot be had, what needs it is left out: $package"
    done
else
    update_index
    # shellcheck disable=SC2086  # package names are words
    apt install -y --no-install-recommends $missing
fi
