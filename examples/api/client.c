/* A client of the service `greeter`: calls both methods by name and prints what they answer. */
#include <busbar/client.h>
#include <stdio.h>

/* Calls a method with one string. NULL after a message if it fails. */
static struct busbar_value *call(struct busbar_client *client, const char *method, const char *text)
{
    struct busbar_value *arguments = busbar_value_list();
    struct busbar_value *argument = busbar_value_text(text);
    struct busbar_value *result = NULL;
    struct busbar_reply *reply = NULL;
    struct busbar_call request = {.service = "greeter", .method = method};

    enum busbar_status status = busbar_value_append(arguments, &argument);
    if (status == BUSBAR_OK)
        status = busbar_body_value(&request.body, arguments);
    if (status == BUSBAR_OK)
        status = busbar_client_call(client, &request, &reply);
    if (status == BUSBAR_OK)
        status = busbar_reply_value(reply, &result);
    if (status != BUSBAR_OK)
        fprintf(stderr, "client: %s: %s\n", busbar_status_name(status),
                busbar_client_error(client));
    busbar_reply_destroy(&reply);
    busbar_value_destroy(&arguments);
    return result;
}

int main(void)
{
    struct busbar_client *client = NULL;
    if (busbar_client_new(&client, NULL) != BUSBAR_OK)
        return 1;

    struct busbar_value *data = call(client, "get_data", "Hello");
    if (data != NULL)
        puts(busbar_value_as_text(data));

    struct busbar_value *song = call(client, "happy_birthday", "Greg");
    for (size_t i = 0; i < busbar_value_count(song); i++)
        puts(busbar_value_as_text(busbar_value_at(song, i)));

    int failed = data == NULL || song == NULL;
    busbar_value_destroy(&data);
    busbar_value_destroy(&song);
    busbar_client_destroy(&client);
    return failed;
}
