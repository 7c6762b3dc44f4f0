#!/bin/bash
# Arrows between rooms go one way: what each room may include, by the table below.
. tests/kit/shell.sh

# room: rooms (or single headers) whose "…" headers it may include, besides its own.
allowed='
base:
protocol: base
settings: base
transport: protocol base
client-lib: transport protocol settings base
objects: client-lib/broker_list.h client-lib/endpoint.h client-lib/fork_mark.h client-lib/place.h protocol settings base
worker-lib: client-lib/ambient.h client-lib/broker_list.h client-lib/connection.h client-lib/body.h client-lib/context.h client-lib/fork_mark.h client-lib/place.h transport protocol base
app: objects client-lib/broker_list.h client-lib/endpoint.h worker-lib/look.h worker-lib/request.h worker-lib/thread.h protocol settings base
broker: transport protocol settings base
cli:
examples:
tests/programs:
'

# <header>: the rooms that may include it; all others may not.
reserved='
zmq.h: transport client-lib worker-lib broker tests bench
czmq.h: tests bench
yaml.h: settings tests
msgpack.h: protocol tests
jansson.h: cli tests
cmocka.h: tests
ffi.h: objects tests bench
busbar/client.h: client-lib objects worker-lib cli examples tests bench
busbar/object.h: objects app cli examples tests bench
busbar/worker.h: worker-lib app cli examples tests bench
busbar/app.h: app cli examples tests bench
busbar/broker.h: broker app tests
sys/socket.h: transport client-lib worker-lib broker cli tests bench
time.h: base client-lib objects worker-lib app broker cli tests bench examples
'

# Prints "room file header", the header with its quotes or angles.
includes() {
    find base protocol settings transport client-lib objects worker-lib app broker cli examples bench tests \
        -name '*.[ch]' -exec grep -H '^ *# *include' {} + |
        sed -E 's|^([^:]*): *# *include *(["<][^">]*[">]).*|\1 \2|' |
        awk '{
            count = split($1, path, "/")
            room = path[1]
            if (room == "tests" && path[2] == "programs")
                room = "tests/programs"
            print room, $1, $2
        }'
}
includes >"$scratch/includes"

# "room/file.h" against the first table; tests and bench may include what they like.
wrong_rooms() {
    awk -v table="$allowed" '
        BEGIN {
            count = split(table, lines, "\n")
            for (i = 1; i <= count; i++) {
                colon = index(lines[i], ":")
                if (!colon)
                    continue
                room = substr(lines[i], 1, colon - 1)
                checked[room] = 1
                words = split(substr(lines[i], colon + 1), word, " ")
                for (j = 1; j <= words; j++)
                    may[room, word[j]] = 1
            }
        }
        $3 ~ /^"/ && ($1 in checked) {
            header = substr($3, 2, length($3) - 2)
            if (header !~ /\//) {
                print $2 ": " $3 " is not written as \"room/file.h\""
                next
            }
            target = substr(header, 1, index(header, "/") - 1)
            if (target != $1 && !(($1, target) in may) &&
                !(($1, header) in may))
                print $2 ": " $1 " may not include " $3
        }' "$scratch/includes"
}

wrong_headers() {
    awk -v table="$reserved" '
        BEGIN {
            count = split(table, lines, "\n")
            for (i = 1; i <= count; i++) {
                colon = index(lines[i], ":")
                if (!colon)
                    continue
                header = substr(lines[i], 1, colon - 1)
                limited[header] = 1
                words = split(substr(lines[i], colon + 1), word, " ")
                for (j = 1; j <= words; j++)
                    may[word[j], header] = 1
            }
        }
        $3 ~ /^</ {
            header = substr($3, 2, length($3) - 2)
            room = $1
            sub(/\/.*/, "", room)
            if ((header in limited) && !((room, header) in may))
                print $2 ": " room " may not include " $3
        }' "$scratch/includes"
}

# The own header comes first, so that each header is known to stand alone.
own_header_late() {
    find base protocol settings transport client-lib objects worker-lib app broker cli -name '*.c' |
        while read -r source; do
            header=${source%.c}.h
            [ -f "$header" ] || continue
            first=$(awk -v file="$source" '$2 == file { print $3; exit }' "$scratch/includes")
            [ "$first" = "\"$header\"" ] || echo "$source: includes $first before \"$header\""
        done
}

# A header of a room must exist, or a check above would pass over a typing error.
nowhere() {
    awk '$3 ~ /^"/ { print $2, substr($3, 2, length($3) - 2) }' "$scratch/includes" |
        while read -r file header; do
            [ -f "$header" ] || [ -f "${file%/*}/$header" ] || echo "$file: no $header"
        done
}

wrong_rooms | check_none "rooms include only rooms that their arrows lead to"
wrong_headers | check_none "libraries are included only by the rooms that use them"
own_header_late | check_none "each source includes its own header first"
nowhere | check_none "each included header of ours exists"
finish
