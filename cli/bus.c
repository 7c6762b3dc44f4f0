/* Questions to the broker's own service, asked as ordinary calls. */
#include "cli/bus.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/report.h"

const char *bus_endpoint(const struct cli *cli)
{
    if (cli->broker != NULL)
        return cli->broker;
    const char *variable = getenv("BUSBAR_BROKER");
    return variable != NULL && *variable != '\0' ? variable : BUSBAR_DEFAULT_BROKER;
}

int bus_refuse_endpoint(const struct cli *cli)
{
    report("%s must be tcp://HOST:PORT or ipc://PATH, not \"%s\"",
           cli->broker != NULL ? "--broker" : "BUSBAR_BROKER", bus_endpoint(cli));
    return EXIT_CLASS_USAGE;
}

int bus_connect(struct busbar_client **ret, const struct cli *cli, uint32_t timeout_ms)
{
    const struct busbar_client_options options = {
        .broker = bus_endpoint(cli),
        .timeout_ms = timeout_ms,
    };
    enum busbar_status status = busbar_client_new(ret, &options);
    if (status == BUSBAR_BAD_ARGUMENT)
        return bus_refuse_endpoint(cli);
    return status == BUSBAR_OK ? 0 : report_client(status, NULL);
}

enum busbar_status bus_ask(struct busbar_client *client, const struct busbar_call *question,
                           const char *about, struct busbar_value **ret)
{
    struct busbar_call call = *question;
    call.service = "bus";
    if (about != NULL) {
        CLEANUP(busbar_value_destroy) struct busbar_value *value = busbar_value_text(about);
        if (value == NULL)
            return BUSBAR_BAD_REQUEST;
        enum busbar_status status = busbar_body_value(&call.body, value);
        if (status != BUSBAR_OK)
            return status;
    }
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    enum busbar_status status = busbar_client_call(client, &call, &reply);
    return status == BUSBAR_OK ? busbar_reply_value(reply, ret) : status;
}

int bus_query(const struct cli *cli, const char *method, const char *about,
              struct busbar_value **ret)
{
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    int code = bus_connect(&client, cli, 0);
    if (code != 0)
        return code;
    const struct busbar_call question = {.method = method};
    enum busbar_status status = bus_ask(client, &question, about, ret);
    return status == BUSBAR_OK ? 0 : report_client(status, client);
}

int bus_print_json(const struct busbar_value *value)
{
    char *text = json_from_value(value, JSON_TEXT_INDENT);
    if (text == NULL)
        return report_no_memory();
    puts(text);
    free(text);
    return report_output();
}
