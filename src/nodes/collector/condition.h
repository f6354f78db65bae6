/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of the Collector's condition language (OTTL) that is one comparison, or several joined
 * by `or`:
 *
 *     condition  = comparison { "or" comparison }
 *     comparison = field ( "==" | "!=" ) literal
 *                | "severity_number" "<" severity
 *                | "IsMatch(" field "," string ")"
 *     field      = [ context "." ] ( attributes["key"] | name | status.code | severity_number )
 *
 * Texts are compared as they are written: "200" is the same as 200. */
#pragma once

#include "base/check.h"

struct ftri_error;

enum collector_subject {
    SUBJECT_ATTRIBUTE,
    SUBJECT_RESOURCE_ATTRIBUTE,
    SUBJECT_NAME,
    SUBJECT_STATUS,
    SUBJECT_SEVERITY
};

enum { CONDITION_TEXT_BYTES = 256 };

struct collector_comparison {
    enum collector_subject subject;
    bool is_negated; /* != */
    bool is_pattern; /* IsMatch */
    char key[CONDITION_TEXT_BYTES];
    char text[CONDITION_TEXT_BYTES]; /* what it is compared with; of STATUS and SEVERITY as
                                        processor/filter names them */
};

struct collector_condition {
    const char *next;    /* what is left to be read */
    const char *context; /* what "context." may stand before a field, and attributes["key"] means:
                            "span", "datapoint", "metric", "log", "resource" */
};

/* Reads the next comparison. 1: there was one; 0: the condition's end; -EINVAL: error says what is
 * wrong with it, or not supported. */
int collector_condition_next(struct collector_condition *self,
                             struct collector_comparison *ret_comparison,
                             struct ftri_error *error) FTRI_MUST_CHECK;
