#!/bin/sh
# Prints what pkg-config says of each library as make variables: x_CFLAGS and x_LIBS.
set -eu

# variable=module, or =module|module where distributions disagree on the name.
for line in 'zmq=libzmq' 'yaml=yaml-0.1' 'msgpack=msgpack|msgpack-c' 'jansson=jansson' \
    'ffi=libffi' 'czmq=libczmq' 'cmocka=cmocka'; do
    found=
    for module in $(echo "${line#*=}" | tr '|' ' '); do
        if pkg-config --exists "$module"; then
            found=$module
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "busbar: pkg-config does not know ${line#*=}" >&2
        exit 1
    fi
    name=${line%%=*}
    echo "${name}_CFLAGS := $(pkg-config --cflags "$found")"
    echo "${name}_LIBS := $(pkg-config --libs "$found")"
done
