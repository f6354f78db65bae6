/* SPDX-License-Identifier: Apache-2.0
 *
 * Option tables: one row per option, from which parsing, validation, `--help` and docs come.
 *
 *     struct batch_options { uint64_t max_items; uint64_t max_delay_ns; };
 *     static const struct option rows[] = {
 *         {"max_items", OPTION_U64, offsetof(struct batch_options, max_items), "8192",
 *          .min = 1, .max = 1000000, .sentence = "Items gathered before a batch is sent."},
 *         ...
 *     };
 *
 * Strings and lists in the values belong to the document that they were read from. */
#pragma once

#include "base/check.h"

struct config_value;
struct ftri_error;

enum option_type {
    OPTION_STR,      /* const char * */
    OPTION_BOOL,     /* bool */
    OPTION_U64,      /* uint64_t */
    OPTION_F64,      /* double; min and max do not apply */
    OPTION_BYTES,    /* uint64_t; "64MiB", "1GB", "4096" */
    OPTION_DURATION, /* uint64_t ns; "200ms", "5s", "1h", "7d" */
    OPTION_CHOICE,   /* int: index into choices */
    OPTION_STR_LIST, /* struct option_list */
    OPTION_MAP,      /* const struct config_value *: a mapping read by the node itself */
    OPTION_LIST      /* const struct config_value *: a list of more than texts, likewise */
};

struct option_list {
    const char *const *items;
    size_t n_items;
};

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    const char *fallback;       /* default in the file's own syntax; NULL: zero */
    uint64_t min, max;          /* numbers, bytes, durations; max 0: no bound */
    const char *const *choices; /* NULL-terminated */
    bool is_required;
    bool is_secret;       /* masked in every print */
    const char *sentence; /* for help and docs */
};

struct option_table {
    const struct option *rows;
    size_t n_rows;
    size_t values_size;
};

/* Fills zeroed `ret_values` (values_size bytes) with the defaults. */
int options_default(const struct option_table *table, void *ret_values,
                    struct ftri_error *error) FTRI_MUST_CHECK;
/* Reads a mapping over the defaults; section NULL (absent): the defaults alone. owner names the
 * thing in errors, e.g. "processor/batch 'gather'". An unknown key, a wrong type, a value out of
 * range: -EINVAL, "file:line:col: ...; did you mean 'x'?". */
int options_read(const struct option_table *table, const struct config_value *section,
                 const char *owner, void *ret_values, struct ftri_error *error) FTRI_MUST_CHECK;
