/* The table of a broker's settings, for those who read, check and print them. */
#ifndef BROKER_SETTINGS_TABLE_H
#define BROKER_SETTINGS_TABLE_H

#include "settings/table.h"

extern const struct settings_table broker_settings_table;
extern const struct settings_table majordomo_table;      /* broker/settings_majordomo.c */
extern const struct settings_table majordomo_rule_table; /* of struct service_rule */

/* The key of the level of the log, which a command line sets too. */
extern const struct settings_key *const broker_settings_log_level;

#endif
