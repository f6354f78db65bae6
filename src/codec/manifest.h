/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest of a fan-in: the ids of all its sampled contributors, packed into byte strings of at
 * most 64 KiB. Each string stands alone and travels as the attribute `flow.manifest` of one
 * manifest span (a child of the fan-in span).
 *
 * One string:
 *
 *     +---------+----------------+---------+---------+-----
 *     | version | n_entries      | entry 0 | entry 1 | ...        nothing follows the last entry
 *     | 1 byte  | 4 bytes, big-e.|         |         |
 *     +---------+----------------+---------+---------+-----
 *
 *     entry:  +----------+------------------------+----------------------+
 *             | 9 p + q  | trace id without its   | span id without its  |
 *             | 1 byte   | first p bytes (16 - p) | first q bytes (8 - q)|
 *             +----------+------------------------+----------------------+
 *
 * p (0 .. 16) and q (0 .. 8) say how many leading bytes are those of the entry before; before the
 * first entry stand zeros. Spans of one trace thus cost 9 bytes each, unrelated ones 25, ids with
 * a time or counter in front less. Version is 1. An all-zero id is not valid. Entries stand in the
 * order of contribution.
 *
 * Pure: no I/O, one thread at a time. The gatherer owns its memory. */
#pragma once

#include "base/bytes.h"
#include "codec/manifest_names.h"

#include <flowtrace/types.h>

enum {
    FTRI_MANIFEST_VERSION = 1,
    FTRI_MANIFEST_STRING_BYTES = 64 * 1024,
    FTRI_MANIFEST_HEAD_BYTES = 5,
    /* Of one visit: about 167,000 unrelated contributors, 466,000 of one trace. All of it is
     * recorded at once, when the visit ends, and so has to fit into a journal (8 MiB). */
    FTRI_MANIFEST_VISIT_BYTES = 4 * 1024 * 1024
};

struct ftri_manifest_id {
    ftr_trace_id trace_id;
    ftr_span_id span_id;
};

struct ftri_manifest_string; /* a packed string in the making */

struct ftri_manifest {
    struct ftri_manifest_string *first;
    struct ftri_manifest_string *last;
    size_t n_strings;
    size_t n_bytes; /* packed, all strings together */
    size_t limit;
    uint64_t n_entries;
    uint64_t n_dropped; /* did not fit into the limit, or memory was short */
};

void ftri_manifest_init(struct ftri_manifest *self, size_t limit_bytes);
void ftri_manifest_deinit(struct ftri_manifest *self);
/* Adds one contributor; what cannot be kept is counted in n_dropped. */
void ftri_manifest_add(struct ftri_manifest *self, const struct ftri_manifest_id *id);
/* Walks the finished strings: start with *cursor = NULL; false at the end. Borrowed. */
bool ftri_manifest_next_string(const struct ftri_manifest *self,
                               const struct ftri_manifest_string **cursor,
                               struct ftri_view *ret_packed);

/* Why a packed string is refused. */
enum ftri_manifest_problem {
    FTRI_MANIFEST_SOUND,
    FTRI_MANIFEST_BAD_LENGTH,  /* shorter than its head, or longer than a string may be */
    FTRI_MANIFEST_BAD_VERSION, /* another one */
    FTRI_MANIFEST_BAD_COUNT,   /* more entries than its bytes could hold */
    FTRI_MANIFEST_TRUNCATED,   /* it ends before its last entry does */
    FTRI_MANIFEST_BAD_ENTRY,   /* no such prefix, or an id of zeros */
    FTRI_MANIFEST_TRAILING,    /* bytes behind the last entry */
    FTRI_MANIFEST_N_PROBLEMS
};
/* "truncated"; of what is sound "sound". */
const char *ftri_manifest_problem_name(enum ftri_manifest_problem problem);

/* Reading one packed string, which may come from anybody. */
struct ftri_manifest_reader {
    struct ftri_view rest;
    uint32_t n_left;
    struct ftri_manifest_id previous;
    enum ftri_manifest_problem problem; /* set with -EBADMSG */
};

/* 0, or -EBADMSG: too short, too long, another version, or more entries than could fit. */
int ftri_manifest_open(struct ftri_manifest_reader *self, struct ftri_view packed) FTRI_MUST_CHECK;
/* 0: *ret_id is the next one. FTRI_MANIFEST_END: there is none, and the string ends where it
 * should. -EBADMSG: truncated, an invalid entry, or bytes after the last. */
enum { FTRI_MANIFEST_END = 1 };
int ftri_manifest_read(struct ftri_manifest_reader *self,
                       struct ftri_manifest_id *ret_id) FTRI_MUST_CHECK;
