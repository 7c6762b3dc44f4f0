#!/bin/sh
# Says something of the text on its stdin: how many words it has, or which is the longest.
set -eu
case ${1:-count} in
count) wc -w | tr -d ' ' ;;
longest) tr -s '[:space:]' '\n' | awk '{ if (length > best) { best = length; word = $0 } }
    END { print word }' ;;
*)
    echo "words.sh: what is '$1'?" >&2
    exit 2
    ;;
esac
