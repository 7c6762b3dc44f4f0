#!/bin/sh
# Prints the renames for objcopy: internals that CLIENT.o defines and WORKER.o uses get the private
# prefix in both, everything else internal stays hidden.
set -eu
LC_ALL=C
export LC_ALL
client=$1
worker=$2
defined=$(mktemp)
trap 'rm -f "$defined"' EXIT
${NM:-nm} -g --defined-only "$client" | awk '{ print $NF }' | sort -u >"$defined"
${NM:-nm} -u "$worker" | awk '{ print $NF }' | sort -u | comm -12 - "$defined" |
    awk '!/^busbar_/ { print $1, "busbar_private_" $1 }'
