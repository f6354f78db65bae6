/* SPDX-License-Identifier: Apache-2.0
 *
 * Who contributed to a span, as one Span message names them: by its links, and, where the message
 * is a manifest span (codec/manifest.h), by the ids packed into it, which contributed to its
 * parent. What is packed came from strangers: it is read as a whole or refused as a whole.
 * Sans-I/O, no allocation. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_otlp_span;

/* How two spans are joined. The first of several counts. */
enum store_relation {
    STORE_RELATION_PARENT,
    STORE_RELATION_FAN_IN,    /* a link that says so, as the next three */
    STORE_RELATION_SPLIT,     /* one of several children of what it names */
    STORE_RELATION_CONTINUES, /* a trace that goes on in a new one */
    STORE_RELATION_FORK,      /* a trace that was forked off */
    STORE_RELATION_LINK,      /* any other */
    STORE_RELATION_MANIFEST,
    STORE_N_RELATIONS
};
const char *store_relation_name(enum store_relation relation);

/* Why nothing of a manifest span counts. */
enum store_refusal {
    STORE_REFUSAL_NONE,
    STORE_REFUSAL_BAD_LENGTH, /* this and the next five: as in codec/manifest.h */
    STORE_REFUSAL_BAD_VERSION,
    STORE_REFUSAL_BAD_COUNT,
    STORE_REFUSAL_TRUNCATED,
    STORE_REFUSAL_BAD_ENTRY,
    STORE_REFUSAL_TRAILING,
    STORE_REFUSAL_NO_PARENT, /* it is the child of no span */
    STORE_REFUSAL_NO_BYTES,  /* no attribute flow.manifest of bytes */
    STORE_REFUSAL_TOO_DENSE, /* traces in less than eight bytes each: no ids are so alike */
    STORE_N_REFUSALS
};

const char *store_refusal_name(enum store_refusal refusal);

struct contributor {
    const uint8_t *trace_id, *span_id; /* not all zero; borrowed for the call */
    enum store_relation relation;
    bool is_of_same_trace; /* as the span */
};
/* A result other than 0 ends the walk. */
typedef int contributor_each(void *argument, const struct contributor *contributor);

bool contributors_is_manifest(ftr_str span_name);
/* False: nobody; the answer costs next to nothing. */
bool contributors_may_be_named(const struct ftri_otlp_span *span);
/* In the order in which they stand, repeats too; links without ids are passed over. A refused
 * manifest names nobody and is *ret_refusal. */
int contributors_each(const struct ftri_otlp_span *span, contributor_each *each, void *argument,
                      enum store_refusal *ret_refusal) FTRI_MUST_CHECK;
