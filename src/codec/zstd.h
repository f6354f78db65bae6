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
