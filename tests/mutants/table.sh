# Reads the table of faults and applies one of them to a copy of its file.
# shellcheck shell=bash

mutants_table=tests/mutants/mutants.txt

# Names of all faults, in the order of the table.
mutant_names() {
    sed -n 's/^mutant //p' "$mutants_table"
}

# NAME file|old|new: the file of a fault, the text it takes out, and what it puts there.
mutant_field() {
    awk -v name="$1" -v field="$2" '
        /^mutant / { inside = $2 == name }
        !inside { next }
        field == "file" && /^file / { print $2 }
        field == "old" && /^- / { print substr($0, 3) }
        field == "new" && /^\+ / { print substr($0, 3) }' "$mutants_table"
}

# NAME DIRECTORY: writes the faulty file below the directory; fails if the text is not there once.
mutant_apply() {
    local file old new content rest
    file=$(mutant_field "$1" file)
    old=$(mutant_field "$1" old)
    new=$(mutant_field "$1" new)
    if [ ! -f "$file" ] || [ -z "$old" ]; then
        echo "$1: no file '$file', or no text to take out"
        return 1
    fi
    content=$(squeeze <"$file")
    old=$(squeeze <<<"$old")
    rest=${content#*"$old"}
    if [ "$rest" = "$content" ]; then
        echo "$1: the text is not in $file"
        return 1
    fi
    if [[ $rest == *"$old"* ]]; then
        echo "$1: the text is in $file more than once"
        return 1
    fi
    mkdir -p "$2/$(dirname "$file")"
    printf '%s\n' "${content%%"$old"*}$new$rest" >"$2/$file"
}

# Lines without what they are indented by, so that the table need not repeat it.
squeeze() {
    sed 's/^[ \t]*//'
}
