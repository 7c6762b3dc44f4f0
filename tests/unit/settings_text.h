/* What the tests of settings share: comparing all errors with what they should be. */
#ifndef TESTS_UNIT_SETTINGS_TEXT_H
#define TESTS_UNIT_SETTINGS_TEXT_H

#include "settings/errors.h"

/* Two initialisers, the bytes of a literal and their count, so that it may hold NUL bytes. */
#define TEXT(literal) (literal), sizeof(literal) - 1

/*
 * Fails unless the errors are these lines, joined by line breaks, without the file's name `f` in
 * front; `input` is what caused them, for the message.
 */
void assert_errors(const struct settings_errors *errors, const char *input, const char *expected);

#endif
