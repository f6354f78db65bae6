/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch as the write-ahead log keeps it: the signal as the record's kind, the payload as its
 * body. One with metadata has a bit more in its kind, and its body is
 *
 *     u32 length of the metadata, little endian | metadata (engine/metadata.h) | payload */
#pragma once

#include "wal/wal.h"

#include <flowtrace/flow.h>

struct ftri_payload;
struct pdata;

/* What a record holds; the references are the caller's. */
struct wal_content {
    ftr_signal signal;
    struct ftri_payload *payload;
    struct ftri_payload *metadata; /* NULL: none */
    size_t n_items;
    size_t n_spans;
};

/* As wal_append; -ENOMEM. */
int wal_record_append(struct wal *wal, const struct pdata *pdata,
                      uint64_t *ret_position) FTRI_MUST_CHECK;
/* Checks the record as its request was checked before it was logged. 0, -EBADMSG, -ENOMEM. */
int wal_record_read(const struct wal_record *record,
                    struct wal_content *ret_content) FTRI_MUST_CHECK;
