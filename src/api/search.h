/* SPDX-License-Identifier: Apache-2.0
 *
 * A search as both of Jaeger's APIs ask for it: what the store can answer from its columns, and
 * conditions on tags, for which candidates of the store are read, newest first, within bounds
 * of traces, spans and time. API's thread. */
#pragma once

#include "base/bytes.h"
#include "store/store.h"

/* Conditions on the tags of a span: key = value, all of which one span must meet. A key is looked
 * for where Jaeger shows tags: in the attributes of the span, its resource, its scope, its events
 * and links, and in the tags made of its kind, status, scope and tracestate. Values are compared as
 * text (api/value_text.h). What a visit records is found by any convention's name for it; that goes
 * for keys, and for the names of events, which are values of the key `event`. */
enum { CONDITIONS_MAX = 64, CONDITIONS_TEXT_BYTES = 64 * 1024, CONDITION_NAMES_MAX = 8 };

struct conditions {
    struct ftri_bytes text; /* keys and values, one after the other */
    size_t n;
    struct condition {
        size_t begin, key_len, value_len;
        ftr_str others[CONDITION_NAMES_MAX]; /* names of the same thing; static */
        size_t n_others;
    } items[CONDITIONS_MAX];
};

void conditions_init(struct conditions *self);
void conditions_deinit(struct conditions *self);
/* Copies both. -EMSGSIZE: too many or too long; -ENOMEM. */
int conditions_add(struct conditions *self, ftr_str key, ftr_str value) FTRI_MUST_CHECK;

/* Positive outcome of conditions_check. */
enum { CONDITIONS_UNMET = 1 };
/* 0: the span meets them all. */
int conditions_check(const struct conditions *self,
                     const struct ftri_otlp_span *span) FTRI_MUST_CHECK;

struct search {
    struct store_query query;        /* its limit is that of the answer */
    struct ftri_bytes service, name; /* what the query points to */
    struct conditions conditions;
    bool is_bounded; /* the bounds hold also without conditions */
};

void search_init(struct search *self, size_t limit);
void search_deinit(struct search *self);

/* Adds a condition; error=true and error=false become the query's status. */
int search_add_tag(struct search *self, ftr_str key, ftr_str value) FTRI_MUST_CHECK;
/* Adds the members of a JSON object of texts, numbers and booleans. -EBADMSG with *ret_problem: the
 * text is none. */
int search_add_tags(struct search *self, ftr_str json, const char **ret_problem) FTRI_MUST_CHECK;

struct search_visitor {
    /* A trace that matches; borrowed until after the next call. Below 0 ends the search. */
    int (*visit)(void *argument, const struct store_result *trace);
    void *argument;
};
/* Newest first. *ret_is_cut: a bound was reached, older traces were not looked at. */
int search_run(struct store *store, const struct search *self, const struct search_visitor *visitor,
               bool *ret_is_cut) FTRI_MUST_CHECK;
/* What to tell when it was cut. */
extern const char search_cut_words[];
