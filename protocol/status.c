/* The names and texts of statuses and fates, made from the one table in busbar/status.h. */
#include <busbar/status.h>

const char *busbar_status_name(enum busbar_status status)
{
    switch (status) {
#define STATUS_NAME(code, name, text)                                                              \
    case BUSBAR_##name:                                                                            \
        return #name;
        BUSBAR_STATUS_TABLE(STATUS_NAME)
#undef STATUS_NAME
    }
    return "UNKNOWN";
}

const char *busbar_status_text(enum busbar_status status)
{
    switch (status) {
#define STATUS_TEXT(code, name, text)                                                              \
    case BUSBAR_##name:                                                                            \
        return text;
        BUSBAR_STATUS_TABLE(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "a status this version does not know";
}

const char *busbar_fate_name(enum busbar_fate fate)
{
    switch (fate) {
    case BUSBAR_NOT_EXECUTED:
        return "not executed";
    case BUSBAR_MAYBE_EXECUTED:
        return "maybe executed";
    case BUSBAR_EXECUTED:
        return "executed";
    }
    return "unknown";
}
