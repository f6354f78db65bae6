/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backend is: one const table. Every backend keeps what is appended in a gather; one that
 * has blocks answers for them through the functions that say so (NULL: it has none), which are
 * called without any lock of the gather. */
#pragma once

#include "store/gather.h"
#include "store/match.h"
#include "store/result.h"
#include "store/store.h"

struct ledger_set;
struct store_lineage;
struct store_span_id;
struct store_wanted;

struct store_class {
    const char *type;
    int (*open)(struct store *self, struct ftri_error *error);
    void (*close)(struct store *self);
    /* After something was appended or a flush was asked for. */
    void (*appended)(struct store *self, bool is_flush);
    /* Adds what blocks hold of a trace. */
    int (*find_trace)(struct store *self, const uint8_t trace_id[16],
                      struct result_builder *builder);
    /* Adds what blocks hold that matches, newest blocks first, until the matches cannot improve. */
    int (*find_matches)(struct store *self, struct match_set *matches);
    /* In how many blocks a trace may be; more than 1 need not be exact. */
    size_t (*count_blocks)(struct store *self, const uint8_t trace_id[16]);
    /* As store/lineage.h says, of blocks; the last one of all. */
    int (*read_lineage)(struct store *self, const ftr_trace_id *traces, size_t n,
                        bool has_contributors, struct store_lineage *lineage);
    int (*find_results)(struct store *self, const struct store_wanted *wanted,
                        struct ftri_bytes *out);
    int (*explain_absence)(struct store *self, const struct store_span_id *spans, size_t n,
                           uint8_t *ret_absences);
    int (*find_names)(struct store *self, struct name_set *names);
    /* Adds the ledger rows that are no longer in the gather. */
    int (*find_ledger)(struct store *self, struct ledger_set *set);
    void (*statistics)(struct store *self, struct store_statistics *ret_statistics);
};

struct store {
    const struct store_class *store_class;
    struct store_options options;
    struct gather gather;
    void *backend; /* the class's own */
};

extern const struct store_class store_memory;
extern const struct store_class store_sqlite;
