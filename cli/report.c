/* The table of exit codes and the form of messages. */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static const struct {
    enum busbar_status status;
    enum exit_class exit_class;
} classes[] = {
    {BUSBAR_OK, EXIT_CLASS_SUCCESS},
    {BUSBAR_APP_ERROR, EXIT_CLASS_APP_ERROR},
    {BUSBAR_BAD_REQUEST, EXIT_CLASS_USAGE},
    {BUSBAR_BAD_ARGUMENT, EXIT_CLASS_USAGE},
    {BUSBAR_BAD_CONFIG, EXIT_CLASS_USAGE},
    {BUSBAR_NO_SERVICE, EXIT_CLASS_NOT_THERE},
    {BUSBAR_NO_METHOD, EXIT_CLASS_NOT_THERE},
    {BUSBAR_NO_MEMBERS, EXIT_CLASS_NOT_THERE},
    {BUSBAR_BUSY, EXIT_CLASS_TRY_AGAIN},
    {BUSBAR_EXPIRED, EXIT_CLASS_TRY_AGAIN},
    {BUSBAR_TIMEOUT, EXIT_CLASS_TRY_AGAIN},
    {BUSBAR_DRAINING, EXIT_CLASS_TRY_AGAIN},
    {BUSBAR_WORKER_LOST, EXIT_CLASS_LOST},
    {BUSBAR_POISONED, EXIT_CLASS_LOST},
    {BUSBAR_BROKER_LOST, EXIT_CLASS_LOST},
    {BUSBAR_DENIED, EXIT_CLASS_REFUSED},
    {BUSBAR_CONFLICT, EXIT_CLASS_REFUSED},
    {BUSBAR_TOO_LARGE, EXIT_CLASS_REFUSED},
    {BUSBAR_RESULT_TOO_LARGE, EXIT_CLASS_REFUSED},
    {BUSBAR_UNSUPPORTED, EXIT_CLASS_REFUSED},
    {BUSBAR_LOOP, EXIT_CLASS_REFUSED},
    {BUSBAR_CANCELLED, EXIT_CLASS_CANCELLED},
};

int exit_code(enum busbar_status status)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        if (classes[i].status == status)
            return classes[i].exit_class;
    }
    return EXIT_CLASS_INTERNAL;
}

void exit_codes_print(void)
{
#define EXIT_CLASS_PRINT(code, name, text) printf("  %3d  %s\n", code, text);
    EXIT_CLASS_TABLE(EXIT_CLASS_PRINT)
#undef EXIT_CLASS_PRINT
}

void report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("busbar: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

int report_status(enum busbar_status status, enum busbar_fate fate, const char *text)
{
    if (text == NULL || *text == '\0')
        text = busbar_status_text(status);
    bool unreachable = status == BUSBAR_BROKER_LOST && strncmp(text, "no broker answers", 17) == 0;
    report("%s (%s): %s%s", busbar_status_name(status), busbar_fate_name(fate), text,
           unreachable ? "; is busbard running?" : "");
    return exit_code(status);
}

int report_reply(const struct busbar_reply *reply)
{
    return report_status(busbar_reply_status(reply), busbar_reply_fate(reply),
                         busbar_reply_error(reply));
}

int report_client(enum busbar_status status, const struct busbar_client *client)
{
    if (client == NULL || busbar_client_status(client) == BUSBAR_OK)
        return report_status(status, BUSBAR_NOT_EXECUTED, NULL);
    return report_status(status, busbar_client_fate(client), busbar_client_error(client));
}

int report_no_memory(void)
{
    report("out of memory");
    return EXIT_CLASS_INTERNAL;
}

int report_output(void)
{
    bool failed_before = ferror(stdout) != 0; /* then errno may be of something that came later */
    if (fflush(stdout) == 0 && !failed_before)
        return EXIT_CLASS_SUCCESS;
    report("cannot write the result%s%s", failed_before ? "" : ": ",
           failed_before ? "" : strerror(errno));
    return EXIT_CLASS_INTERNAL;
}
