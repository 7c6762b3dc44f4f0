#!/bin/sh
# Writes stdin to a file only if that changes it, so that its time stamp tells of real changes.
set -eu
new=$(cat)
if [ ! -f "$1" ] || [ "$new" != "$(cat "$1")" ]; then
    printf '%s\n' "$new" >"$1"
fi
