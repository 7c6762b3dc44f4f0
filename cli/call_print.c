/* The forms of results on stdout, and of failures and progress on stderr. */
#include "cli/call_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/report.h"

enum {
    ATTEMPTS_SHOWN = 8,
    DETAILS_SIZE = 512,
};

static int print_raw(const struct busbar_reply *reply)
{
    const char *data = busbar_reply_data(reply);
    size_t size = busbar_reply_size(reply);
    if (size > 0)
        fwrite(data, 1, size, stdout);
    if (isatty(STDOUT_FILENO) && (size == 0 || data[size - 1] != '\n'))
        putchar('\n');
    return report_output();
}

static int print_value(const struct busbar_reply *reply, const struct print_form *form)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    if (busbar_reply_value(reply, &value) != BUSBAR_OK)
        return report_status(BUSBAR_BAD_REQUEST, BUSBAR_EXECUTED,
                             "the result is not well-formed MessagePack");
    if (form->raw && busbar_value_type(value) == BUSBAR_STRING) {
        size_t size;
        const char *text = busbar_value_data(value, &size);
        fwrite(text, 1, size, stdout);
        putchar('\n');
        return report_output();
    }
    char *text = json_from_value(value,
                                 !form->lines && isatty(STDOUT_FILENO) ? JSON_TEXT_INDENT : 0);
    if (text == NULL)
        return report_no_memory();
    puts(text);
    free(text);
    return report_output();
}

int print_reply(const struct busbar_reply *reply, const struct print_form *form)
{
    if (form->bytes || busbar_reply_encoding(reply) == BUSBAR_RAW)
        return print_raw(reply);
    return print_value(reply, form);
}

/* A handler's text is one line, whatever it is made of. */
static void print_line(const char *text)
{
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, stderr);
    fputc('\n', stderr);
}

void print_progress(const struct busbar_progress *progress, void *context)
{
    (void)context;
    fputs("progress:", stderr);
    if (progress->permille >= 0)
        fprintf(stderr, " %d.%d %%", progress->permille / 10, progress->permille % 10);
    if (progress->text[0] != '\0')
        fputc(' ', stderr);
    print_line(progress->text);
}

static const char *source_name(enum busbar_source source)
{
    switch (source) {
    case BUSBAR_BY_CLIENT:
        return "busbar";
    case BUSBAR_BY_BROKER:
        return "the broker";
    case BUSBAR_BY_WORKER:
        return "the worker";
    case BUSBAR_BY_HANDLER:
        return "the handler";
    }
    return "somebody";
}

int print_failure(const struct busbar_reply *reply)
{
    struct busbar_attempt attempts[ATTEMPTS_SHOWN];
    int code = report_reply(reply);
    enum busbar_source source = busbar_reply_source(reply);
    size_t count = busbar_reply_attempts(reply, attempts, ATTEMPTS_SHOWN);
    uint32_t retry_after = busbar_reply_retry_after(reply);
    char details[DETAILS_SIZE] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && i < ATTEMPTS_SHOWN; i++)
        used += (size_t)snprintf(details + used, sizeof details - used,
                                 "; worker %" PRIu64 ", %" PRIu32 " ms", attempts[i].worker,
                                 attempts[i].ms);
    if (count > ATTEMPTS_SHOWN)
        used += (size_t)snprintf(details + used, sizeof details - used, "; %zu more workers",
                                 count - ATTEMPTS_SHOWN);
    if (retry_after > 0)
        snprintf(details + used, sizeof details - used, "; try again after %" PRIu32 " ms",
                 retry_after);
    if (source != BUSBAR_BY_CLIENT) /* what this side reports says so itself */
        report("reported by %s%s", source_name(source), details);
    return code;
}
