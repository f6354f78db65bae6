/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of text becomes a record. As text: the line is the value. As JSON: an object; its `key`
 * and `value`, where they are strings, are the record's, every other member is an attribute. What
 * exporter/file writes reads back as the same record. */
#pragma once

#include "config/options.h"

#include <flowtrace/types.h>

struct records;

enum line_form { LINE_FORM_NDJSON, LINE_FORM_TEXT };

struct line_options {
    int form; /* enum line_form */
    uint64_t max_line_bytes;
    const char *time_field; /* the member with the event time; "": none has it */
    int time_unit;          /* of line_time_units */
};

extern const char *const line_forms[];
extern const char *const line_time_units[];

/* The rows of the options that both receivers have; `member` is their struct line_options. */
#define LINE_OPTION_ROWS(type, member)                                                             \
    {"format",                                                                                     \
     OPTION_CHOICE,                                                                                \
     offsetof(type, member.form),                                                                  \
     "ndjson",                                                                                     \
     .choices = line_forms,                                                                        \
     .sentence = "ndjson: a JSON object a line, whose members become attributes; text: the line "  \
                 "is the record's value."},                                                        \
        {"max_line",                                                                               \
         OPTION_BYTES,                                                                             \
         offsetof(type, member.max_line_bytes),                                                    \
         "1MiB",                                                                                   \
         .min = 16,                                                                                \
         .max = UINT64_C(1) << 28,                                                                 \
         .sentence = "Longer lines are dropped (invalid)."},                                       \
        {"time_field", OPTION_STR, offsetof(type, member.time_field), "",                          \
         .sentence = "ndjson: the member that holds the event time as a number; empty: none."},    \
    {                                                                                              \
        "time_unit", OPTION_CHOICE, offsetof(type, member.time_unit), "ms",                        \
            .choices = line_time_units, .sentence = "What that number counts since 1970."          \
    }

/* Adds the record of a line; key is for one that names none. 0; -EBADMSG: the line is wrong, error
 * says why; -ENOMEM. */
int line_record_add(const struct line_options *options, ftr_str key, ftr_str line,
                    struct records *records, struct ftri_error *error) FTRI_MUST_CHECK;
