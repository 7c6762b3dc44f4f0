#!/bin/bash
# The page docs/configuration.md is true: each of its files is one, and says the same when printed.
. tests/kit/shell.sh

page=docs/configuration.md
busbar=$BUSBAR_BUILD/busbar
cc=${CC:-cc}

# Writes each block of YAML into a file of its own; `yaml NAME` gives it that name.
awk -v directory="$scratch" '
    /^```/ && inside { inside = 0; close(file); next }
    inside { print >file }
    /^```yaml/ { inside = 1; file = directory "/" (NF > 1 ? $2 : "block" ++count ".yaml") }' "$page"

echo 'double perimeter(double a, double b) { return 2 * (a + b); }
double rect_area(double a, double b) { return a * b; }' >"$scratch/shapes.c"
# shellcheck disable=SC2086
check "the library that it names can be made" \
    "$cc" ${CFLAGS:-} -shared -fPIC -o "$scratch/libshapes.so" "$scratch/shapes.c"

check "it has files to be tried" test "$(find "$scratch" -name '*.yaml' | wc -l)" -ge 7
for file in "$scratch"/block*.yaml "$scratch/server.yaml" "$scratch/client.yaml"; do
    check "its file ${file##*/} is good" "$busbar" check "$file"
done

# What busbar prints is a file that says the same.
says_the_same() {
    "$busbar" check "$1" >"$scratch/once.yaml" &&
        "$busbar" check "$scratch/once.yaml" >"$scratch/twice.yaml" &&
        cmp "$scratch/once.yaml" "$scratch/twice.yaml"
}
for file in "$scratch"/block*.yaml "$scratch/server.yaml"; do
    check "what is in effect of ${file##*/} reads back the same" says_the_same "$file"
done

overlaid() {
    printf 'overlay: production.yaml\n' | cat - "$scratch/block1.yaml" |
        sed 's/shapes:/service:/' >"$scratch/overlaid.yaml"
    "$busbar" check "$scratch/overlaid.yaml" | tee "$scratch/effective"
    grep -q 'tcp://10.0.0.2:7766' "$scratch/effective" &&
        grep -q 'proxy: ServiceName' "$scratch/effective" &&
        ! grep -q library "$scratch/effective"
}
check "its overlay makes a proxy of a library" overlaid
finish
