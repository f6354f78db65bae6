/* SPDX-License-Identifier: Apache-2.0
 *
 * gzip (RFC 1952) and zlib (RFC 1950, what HTTP calls deflate) in bounded memory. The only module
 * that includes zlib. One thread at a time for one struct ftri_gunzip. */
#pragma once

#include "base/bytes.h"

struct ftri_gunzip;

/* Streaming: feed pieces, output is appended to out, whose limit bounds the whole. A file may
 * consist of several members. NULL when memory is short. */
struct ftri_gunzip *ftri_gunzip_new(void) FTRI_MUST_CHECK;
/* The same over one zlib stream; what follows it is corrupt. */
struct ftri_gunzip *ftri_gunzip_new_zlib(void) FTRI_MUST_CHECK;
void ftri_gunzip_free(struct ftri_gunzip *self);
/* 0; -EBADMSG not gzip or corrupt; -EMSGSIZE over the limit of out; -ENOMEM. After a failure out
 * holds what was decoded before it, and every later feed fails the same way. */
int ftri_gunzip_feed(struct ftri_gunzip *self, struct ftri_view piece,
                     struct ftri_bytes *out) FTRI_MUST_CHECK;
/* True when the last member ended exactly at the end of what was fed. */
bool ftri_gunzip_is_complete(const struct ftri_gunzip *self);
/* Memory that one takes, about. */
enum { FTRI_GUNZIP_BYTES = 48 * 1024 };

/* Appends one member. level: 0 to 9, -1 for zlib's default; another: -EINVAL. -ENOMEM; -EMSGSIZE;
 * on failure out is as it was. */
int ftri_gzip(struct ftri_view plain, int level, struct ftri_bytes *out) FTRI_MUST_CHECK;
