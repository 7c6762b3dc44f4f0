#!/bin/bash
# Runs clang-format, clang-tidy and cppcheck over the sources given; fails when any complains.
# BUILD: where to keep what was found clean. CPPFLAGS: as for the compiler.
set -u
files=("$@")
sources=()
for file in "${files[@]}"; do
    case $file in *.c) sources+=("$file") ;; esac
done
flags=$(eval "printf '%q ' -std=gnu11 $CPPFLAGS")
stamps=$BUILD/lint
mkdir -p "$stamps"
status=0

echo "clang-format: ${#files[@]} files"
clang-format --dry-run -Werror "${files[@]}" || status=1

# A source is read again only when it, a header or the flags changed: the stamp says with what.
tidy_one() {
    local source=$1 stamp state
    stamp=$stamps/${source//\//_}
    state=$(cat .clang-tidy "$source" "${headers[@]}" | cksum; echo "$flags")
    [ "$(cat "$stamp" 2>/dev/null)" != "$state" ] || return 0
    # The count of warnings that were not shown goes to stderr and tells nothing.
    eval "clang-tidy --quiet $source -- $flags" 2>"$stamp.err" || {
        grep -v 'warnings\{0,1\} generated\.$' "$stamp.err" >&2
        return 1
    }
    rm -f "$stamp.err"
    echo "$state" >"$stamp"
}
headers=()
for file in "${files[@]}"; do
    case $file in *.h) headers+=("$file") ;; esac
done

echo "clang-tidy: ${#sources[@]} files"
jobs=$(nproc)
for ((first = 0; first < jobs; first++)); do
    (
        bad=0
        for ((i = first; i < ${#sources[@]}; i += jobs)); do
            tidy_one "${sources[i]}" || bad=1
        done
        exit $bad
    ) &
done
for ((first = 0; first < jobs; first++)); do
    wait -n || status=1
done

echo "cppcheck: ${#sources[@]} files"
mkdir -p "$stamps/cppcheck"
eval "cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 --cppcheck-build-dir=$stamps/cppcheck -j $jobs \
    --suppressions-list=build-aux/cppcheck.supp --library=posix --library=cppcheck-lib \
    ${flags/-std=gnu11/} ${sources[*]}" || status=1

[ $status -eq 0 ] && echo "lint: nothing to complain about"
exit $status
