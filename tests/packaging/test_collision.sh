#!/bin/bash
# A program may define functions named like our internals: it links with the libraries, shared or
# static, calls its own, and the libraries never call them.
. tests/kit/shell.sh

# All internals, and some names that must be there even if the list came out empty.
{
    for part in client worker broker; do
        nm -g --defined-only "$BUSBAR_BUILD/parts/$part.o" | awk '{ print $NF }'
    done
    printf '%s\n' registry_find packet_decode list_init
} | grep -v -e '^busbar_' -e '[^A-Za-z0-9_]' | sort -u >"$scratch/names"

program() {
    echo '#include <busbar/app.h>'
    echo '#include <busbar/broker.h>'
    echo 'static int calls;'
    sed 's/.*/int &(void); int &(void) { return ++calls; }/' "$scratch/names"
    cat <<'C'
static int use_the_libraries(void)
{
    const struct busbar_client_options client_options = {.broker = "inproc://nobody"};
    const struct busbar_worker_options worker_options = {.broker = "inproc://nobody"};
    struct busbar_client *client = NULL;
    struct busbar_worker *worker = NULL;
    const struct busbar_broker_options broker_options = {.endpoint = "tcp://127.0.0.1:*"};
    struct busbar_broker *broker = NULL;
    struct busbar_app *app = NULL;
    struct busbar_value *value = busbar_value_list();
    struct busbar_value *element = busbar_value_text("x");
    struct busbar_value *back = NULL;
    void *data = NULL;
    size_t size = 0;

    int failed = busbar_value_append(value, &element) != BUSBAR_OK ||
                 busbar_value_encode(value, &data, &size) != BUSBAR_OK ||
                 busbar_value_decode(&back, data, size, NULL) != BUSBAR_OK ||
                 !busbar_value_equal(value, back) ||
                 busbar_client_new(&client, &client_options) != BUSBAR_OK ||
                 busbar_worker_new(&worker, &worker_options) != BUSBAR_OK ||
                 busbar_broker_new(&broker, &broker_options, NULL, 0) != BUSBAR_OK ||
                 busbar_app_new(&app) != BUSBAR_OK ||
                 busbar_app_embed(app, "tcp://127.0.0.1:*") != BUSBAR_OK ||
                 busbar_app_start(app) != BUSBAR_OK;
    busbar_app_destroy(&app);
    busbar_broker_destroy(&broker);
    busbar_worker_destroy(&worker);
    busbar_client_destroy(&client);
    busbar_value_destroy(&value);
    busbar_value_destroy(&back);
    free(data);
    return failed;
}

int main(void)
{
    if (use_the_libraries()) {
        puts("the libraries do not work");
        return 1;
    }
    if (calls != 0) {
        puts("a library called a function of this program");
        return 1;
    }
    int expected = 0;
C
    sed 's/.*/    if (&() != ++expected) return puts("& is not that of this program"), 1;/' \
        "$scratch/names"
    echo '    return use_the_libraries();'
    echo '}'
}

{
    echo '#include <stdio.h>'
    echo '#include <stdlib.h>'
    program
} >"$scratch/program.c"

# link KIND LIBRARY…
link() {
    local kind=$1
    shift
    "${CC:-cc}" -std=gnu11 -fno-builtin $(printf -- '-I%s ' */include) \
        -o "$scratch/$kind" "$scratch/program.c" "$@" \
        $(pkg-config --libs libzmq yaml-0.1 libffi msgpack 2>/dev/null ||
            pkg-config --libs libzmq yaml-0.1 libffi msgpack-c) -pthread -ldl
}

check "there are internals to collide with" test "$(wc -l <"$scratch/names")" -ge 20
check "a program that defines our internal names links with the archives" \
    link static "$BUSBAR_BUILD"/libbusbar-{worker,client,broker}.a
check "it gets its own functions and working libraries" timeout 20 "$scratch/static"
check "a program that defines our internal names links with the shared libraries" \
    link shared -L"$BUSBAR_BUILD" -Wl,-rpath,"$BUSBAR_BUILD" -lbusbar-worker -lbusbar-client \
    -lbusbar-broker
check "it gets its own functions and working shared libraries" timeout 20 "$scratch/shared"
finish
