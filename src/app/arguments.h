/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines from tables: one row per option, from which parsing and --help come.
 * `--name value` and `--name=value`; `--` ends the options. */
#pragma once

#include "base/check.h"

enum { ARGUMENT_VALUES_MAX = 16 };

/* The values of an option that may be given again. */
struct argument_values {
    const char *items[ARGUMENT_VALUES_MAX];
    size_t n;
};

struct argument {
    const char *name;  /* without the dashes */
    const char *value; /* its placeholder, "FILE"; NULL: a switch */
    /* in the options struct: of a const char * (value), a struct argument_values (repeated), a bool
     * (switch) */
    size_t offset;
    const char *sentence;
    bool is_repeated;
};

struct command {
    const char *name;     /* "trace get" */
    const char *operands; /* "ID"; "" for none */
    const char *sentence; /* one line in the list of commands */
    const char *text;     /* more for --help; may be NULL */
    const struct argument *rows;
    size_t n_rows;
    size_t options_size;
    size_t n_operands_min, n_operands_max;
    /* Exit status: 0 done, 1 failed, 2 wrong usage. */
    int (*run)(const void *options, const char *const *operands, size_t n_operands);
};

/* Parses and runs; argv holds what follows the command's name. Errors go to stderr. */
int command_run(const struct command *command, int argc, char **argv);
/* "flowtrace: ..." and a newline on stderr; returns status, for `return fail(1, ...)`. */
int fail(int status, const char *format, ...) FTRI_PRINTF(2, 3);
