/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/decoder.h"

#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/zstd.h"

#include <string.h>
#include <strings.h>

/* One of both is set. */
struct ftri_decoder {
    struct ftri_gunzip *gunzip;
    struct ftri_unzstd *unzstd;
};

static const struct {
    const char *name;
    enum ftri_coding coding;
} names[] = {
    {"identity", FTRI_CODING_IDENTITY}, {"gzip", FTRI_CODING_GZIP}, {"x-gzip", FTRI_CODING_GZIP},
    {"deflate", FTRI_CODING_DEFLATE},   {"zstd", FTRI_CODING_ZSTD},
};

enum ftri_coding ftri_coding_named(ftr_str name)
{
    if (name.len == 0)
        return FTRI_CODING_IDENTITY;
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (name.len == strlen(names[i].name) &&
            strncasecmp(name.data, names[i].name, name.len) == 0)
            return names[i].coding;
    return FTRI_CODING_UNKNOWN;
}

struct ftri_decoder *ftri_decoder_new(enum ftri_coding coding)
{
    struct ftri_decoder *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    if (coding == FTRI_CODING_ZSTD)
        self->unzstd = ftri_unzstd_new();
    else
        self->gunzip = coding == FTRI_CODING_DEFLATE ? ftri_gunzip_new_zlib() : ftri_gunzip_new();
    if (self->gunzip || self->unzstd)
        return self;
    ftri_free(self);
    return NULL;
}

void ftri_decoder_free(struct ftri_decoder *self)
{
    if (!self)
        return;
    ftri_gunzip_free(self->gunzip);
    ftri_unzstd_free(self->unzstd);
    ftri_free(self);
}

int ftri_decoder_feed(struct ftri_decoder *self, struct ftri_view piece, struct ftri_bytes *out)
{
    return self->unzstd ? ftri_unzstd_feed(self->unzstd, piece, out)
                        : ftri_gunzip_feed(self->gunzip, piece, out);
}

bool ftri_decoder_is_complete(const struct ftri_decoder *self)
{
    return self->unzstd ? ftri_unzstd_is_complete(self->unzstd)
                        : ftri_gunzip_is_complete(self->gunzip);
}

size_t ftri_decoder_bytes(const struct ftri_decoder *self)
{
    return self->unzstd ? ftri_unzstd_bytes(self->unzstd) : FTRI_GUNZIP_BYTES;
}
