/* Calls the object `service`; where that is, only the file named on the command line knows. */
#include <busbar/app.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, busbar_last_error());
    return 1;
}

static int greet(struct busbar_object *service)
{
    char *(*get_data)(const char *) = busbar_function(service, "get_data");
    char **(*happy_birthday)(const char *) = busbar_function(service, "happy_birthday");
    if (get_data == NULL || happy_birthday == NULL)
        return failed("service");

    char *data = get_data("Hello");
    if (data == NULL)
        return failed("get_data");
    puts(data);
    free(data);

    char **song = happy_birthday("Greg");
    if (song == NULL)
        return failed("happy_birthday");
    for (int i = 0; song[i] != NULL; i++) {
        puts(song[i]);
        free(song[i]);
    }
    free(song);
    return 0;
}

int main(int argc, char **argv)
{
    const char *file = argc > 1 ? argv[1] : "client.yaml";
    struct busbar_app *app;
    if (busbar_app_load(&app, file) != BUSBAR_OK) {
        fprintf(stderr, "%s\n", busbar_last_error());
        return 1;
    }
    struct busbar_object *service = busbar_app_object(app, "service");
    int code = service != NULL ? greet(service) : failed(file);
    busbar_app_destroy(&app);
    return code;
}
