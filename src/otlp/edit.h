/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies a request of any signal, but for items that are left out and resources, scopes and items
 * that are rewritten; what is not touched is copied as it is, unknown fields included. Works on
 * checked bytes; sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

struct ftri_otlp_message;

enum ftri_otlp_part { FTRI_OTLP_PART_RESOURCE, FTRI_OTLP_PART_SCOPE, FTRI_OTLP_PART_ITEM };
enum { FTRI_OTLP_PARTS = 3 };

/* A span, log record or data point, with where it stands. */
struct ftri_otlp_item {
    const struct ftri_otlp_message *message;
    struct ftri_view bytes;
    struct ftri_view resource; /* empty: there is none */
    struct ftri_view scope;
    struct ftri_view metric; /* of a data point: its Metric */
};

struct ftri_otlp_edit {
    void *argument;
    /* Called for every item in order. NULL: all are kept. Groups that keep no item are left out. */
    bool (*keeps)(void *argument, const struct ftri_otlp_item *item);
    /* Appends the fields of a message, edited; a resource or scope that is missing comes as empty
     * bytes. 0 or a negated errno. NULL: everything stays as it is. */
    int (*rewrite)(void *argument, enum ftri_otlp_part part,
                   const struct ftri_otlp_message *message, struct ftri_view bytes,
                   struct ftri_bytes *out);
};

/* Appends to out. request: ftri_otlp_request or that of logs or metrics. 0; -ENOMEM, -EMSGSIZE, or
 * what rewrite returned: out is as it was. */
int ftri_otlp_edit(const struct ftri_otlp_message *request, struct ftri_view bytes,
                   const struct ftri_otlp_edit *edit, struct ftri_bytes *out,
                   size_t *ret_n_kept) FTRI_MUST_CHECK;

/* Calls keeps for every item, and writes nothing. */
void ftri_otlp_visit(const struct ftri_otlp_message *request, struct ftri_view bytes,
                     const struct ftri_otlp_edit *edit);
