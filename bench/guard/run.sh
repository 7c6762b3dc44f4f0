#!/bin/bash
# The regression guard: instructions per call on some paths, beside the committed figures, which hold
# for one compiler, its flags and one C library: with others the comparison is skipped.
#   UPDATE=1  writes the figures, for what is here
# MEASURE=COMMAND prints `PATH INSTRUCTIONS` lines in place of callgrind; FIGURES=FILE
set -eu
cd "$(dirname "$0")/../.."

figures=${FIGURES:-bench/guard/figures.txt}
compiler=${CC:-gcc} # may have options

# What the figures hold for, as the file has it: `NAME: VALUE` lines.
conditions() {
    echo "machine: $(uname -m)"
    echo "compiler: $($compiler --version | sed 's/^[^ ]*cc[^ ]* //; q')"
    echo "flags: ${FLAGS:-}"
    echo "library: $(getconf GNU_LIBC_VERSION)"
}

# The conditions of the figures that are not those here.
differences() {
    sed -n '/^[a-z]*: /p' "$figures" 2>/dev/null | grep -vxF "$(conditions)" || true
}

write_figures() {
    cat <<'END'
# Instructions per call, as `make bench-guard` counts them, and what they hold for. What is counted on
# each path is said in bench/guard/*.c. Written by `make bench-guard UPDATE=1`.

END
    conditions
    echo
    cat "$1"
}

if [ -n "${SANITIZE:-}" ]; then
    echo "bench-guard: skipped: a sanitizer adds instructions of its own"
    exit 0
fi
if [ "${UPDATE:-0}" != 1 ] && [ -n "$(differences)" ]; then
    echo "bench-guard: skipped: the figures hold for other than what is here:"
    differences | sed 's/^/  figures: /'
    conditions | sed 's/^/  here:    /'
    exit 0
fi

measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
${MEASURE:-bench/guard/measure.sh} >"$measured"
[ -s "$measured" ] || { echo "bench-guard: nothing was measured" >&2; exit 1; }
if [ "${UPDATE:-0}" = 1 ]; then
    write_figures "$measured" >"$figures"
fi
awk -f bench/guard/compare.awk "$figures" "$measured" || {
    echo "bench-guard: a path is further than 5 % from its figure"
    exit 1
}
