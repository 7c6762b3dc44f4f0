/* A server as small as it gets: it loads the file that is named, and waits. */
#include <busbar/app.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct busbar_app *app;
    if (argc != 2 || busbar_app_load(&app, argv[1]) != BUSBAR_OK)
        return fprintf(stderr, "%s\n", busbar_last_error()), 2;
    enum busbar_status status = busbar_app_run(app);
    busbar_app_destroy(&app);
    return status;
}
