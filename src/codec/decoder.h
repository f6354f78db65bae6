/* SPDX-License-Identifier: Apache-2.0
 *
 * Undoes the content codings of HTTP (RFC 9110 8.4.1, RFC 8878) and gRPC, whichever it is, as a
 * stream and in bounded memory. One thread at a time. */
#pragma once

#include "base/bytes.h"

enum ftri_coding {
    FTRI_CODING_IDENTITY,
    FTRI_CODING_GZIP,
    FTRI_CODING_DEFLATE, /* zlib's format, as RFC 9110 8.4.1.2 says */
    FTRI_CODING_ZSTD,
    FTRI_CODING_UNKNOWN
};

/* The codings that ftri_coding_named knows beside identity, as header fields list them. */
#define FTRI_CODINGS "gzip, deflate, zstd"

/* In any case; x-gzip is gzip, nothing is identity. */
enum ftri_coding ftri_coding_named(ftr_str name);

struct ftri_decoder;
/* For any coding but identity and unknown. NULL when memory is short. */
struct ftri_decoder *ftri_decoder_new(enum ftri_coding coding) FTRI_MUST_CHECK;
void ftri_decoder_free(struct ftri_decoder *self);
/* Appends to out, whose limit bounds the whole. 0; -EBADMSG not of this coding, corrupt, or beyond
 * its window; -EMSGSIZE over the limit of out; -ENOMEM. After a failure out holds what was decoded
 * before it, and every later feed fails the same way. */
int ftri_decoder_feed(struct ftri_decoder *self, struct ftri_view piece,
                      struct ftri_bytes *out) FTRI_MUST_CHECK;
/* True when the content ended exactly at the end of what was fed. */
bool ftri_decoder_is_complete(const struct ftri_decoder *self);
/* Memory it holds now, about. */
size_t ftri_decoder_bytes(const struct ftri_decoder *self);
