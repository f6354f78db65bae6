/* SPDX-License-Identifier: Apache-2.0
 *
 * Zstandard (RFC 8878) frames in bounded memory. The only module that includes zstd.h.
 * The context is worth keeping: making one costs more than a small frame. One thread at a time.
 * libzstd allocates its own working memory. */
#pragma once

#include "base/bytes.h"

struct ftri_zstd;

/* level: 1 to 19. NULL: another level, or memory is short. */
struct ftri_zstd *ftri_zstd_new(int level) FTRI_MUST_CHECK;
void ftri_zstd_free(struct ftri_zstd *self);
/* Appends one frame with the content's size and checksum. -ENOMEM; -EMSGSIZE over the limit of
 * out; on failure out is as it was. */
int ftri_zstd_compress(struct ftri_zstd *self, struct ftri_view plain,
                       struct ftri_bytes *out) FTRI_MUST_CHECK;
/* Appends the content of the frames in packed. -EBADMSG not zstd, corrupt, cut off, or a window of
 * more than 8 MiB; -EMSGSIZE; -ENOMEM; on failure out is as it was. */
int ftri_zstd_decompress(struct ftri_zstd *self, struct ftri_view packed,
                         struct ftri_bytes *out) FTRI_MUST_CHECK;

/* Streaming, as struct ftri_gunzip: one or several frames, fed in pieces. A window of more than 8
 * MiB is refused. NULL when memory is short. */
struct ftri_unzstd;
struct ftri_unzstd *ftri_unzstd_new(void) FTRI_MUST_CHECK;
void ftri_unzstd_free(struct ftri_unzstd *self);
/* 0; -EBADMSG; -EMSGSIZE over the limit of out; -ENOMEM. After a failure every later feed fails the
 * same way. */
int ftri_unzstd_feed(struct ftri_unzstd *self, struct ftri_view piece,
                     struct ftri_bytes *out) FTRI_MUST_CHECK;
/* True when the last frame ended exactly at the end of what was fed. */
bool ftri_unzstd_is_complete(const struct ftri_unzstd *self);
/* Memory it holds now, its window included. */
size_t ftri_unzstd_bytes(const struct ftri_unzstd *self);
