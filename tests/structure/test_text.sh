#!/bin/bash
# What sources and documents say: no open ends, no paths of one machine, and each path they name is
# there.
. tests/kit/shell.sh

files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . -path ./build -prune -o -path ./.git -prune -o -type f -print0
    fi
}

# grep over all files; each pattern is written so that it does not find itself.
said() {
    files | xargs -0 grep -nIE "$1" 2>/dev/null
}

# The first line of a file says what it holds: a comment, after `#!` in scripts; a source that
# opens with the header of its name, or a test with that of its module, leaves it to that header.
unopened() {
    find base protocol settings transport client-lib objects worker-lib app broker cli examples bench tests \
        build-aux .ci \( -name '*.[ch]' -o -name '*.sh' -o -path .ci/run \) -type f |
        while read -r file; do
            line=$(grep -v -m 1 '^#!' "$file")
            name=$(basename "$file" .c)
            case $line in
            '/*'* | '# '[A-Z\`]*) ;;
            '#include "'*"${name#test_}.h\"") ;;
            *) echo "$file: $line" ;;
            esac
        done
}

# The paths that the README's room map names: words with a slash that open a line or a table cell.
room_map() {
    awk '/^#/ { inside = tolower($0) ~ /room/ } inside' README.md |
        grep -oE '^[|` ]*[A-Za-z.][A-Za-z0-9_.-]*/[A-Za-z0-9_./-]*' | tr -d '|` '
}

links() {
    for page in README.md docs/*.md; do
        [ -f "$page" ] || continue
        grep -oE '\]\([^)#]+' "$page" | cut -c3- | grep -v -e '^[a-z]*:' |
            sed "s|^|${page%/*}/|; s|^README.md/||"
    done
}

absent() {
    while read -r path; do
        [ -e "$path" ] || echo "$path"
    done
}

rooms_unmapped() {
    for room in base protocol settings transport client-lib objects worker-lib app broker cli configs examples \
        tests bench docs build-aux; do
        [ ! -d "$room" ] || room_map | grep -q "^$room/" || echo "$room/"
    done
}

said '\b(TO[D]O|FIX[M]E|X[X]X)\b' | check_none "no file leaves work for later"
said '(^|[^A-Za-z0-9_.])/(hom[e]|roo[t]|Use[r]s|wor[k]|tmp/bri[e]f)/[A-Za-z]|\.\./shar[e]d' |
    check_none "no file names a path of one machine"
unopened | check_none "each source opens with a sentence on what it holds"

if [ -f README.md ]; then
    check "the README has a room map" test -n "$(room_map)"
    room_map | absent | check_none "each path of the room map exists"
    rooms_unmapped | check_none "each room is in the room map"
    links | absent | check_none "each link of the documents leads to a file"
    check "the README has at most 200 lines" test "$(wc -l <README.md)" -le 200
else
    echo "not ok - there is a README.md"
    kit_failures=1
fi
finish
