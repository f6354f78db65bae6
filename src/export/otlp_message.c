/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_message.h"

#include "codec/gzip.h"
#include "codec/zstd.h"
#include "export/otlp_grpc.h"
#include "export/otlp_settings.h"
#include "otlp/json.h"

#include <errno.h>

/* zstd 1 packs spans as tightly as gzip 6, in a sixteenth of its time. */
enum { GZIP_LEVEL = 6, ZSTD_LEVEL = 1 };

void ftri_otlp_message_init(struct ftri_otlp_message *self)
{
    self->zstd = NULL;
    ftri_bytes_init(&self->json, FTRI_OTLP_REQUEST_BYTES);
    ftri_bytes_init(&self->packed, FTRI_OTLP_REQUEST_BYTES + FTRI_GRPC_PREFIX_BYTES);
}

void ftri_otlp_message_deinit(struct ftri_otlp_message *self)
{
    ftri_bytes_deinit(&self->json);
    ftri_bytes_deinit(&self->packed);
    ftri_zstd_free(self->zstd);
}

static int pack_zstd(struct ftri_otlp_message *self, struct ftri_view plain)
{
    if (!self->zstd)
        self->zstd = ftri_zstd_new(ZSTD_LEVEL);
    return self->zstd ? ftri_zstd_compress(self->zstd, plain, &self->packed) : -ENOMEM;
}

static int pack(struct ftri_otlp_message *self, ftr_otlp_compression compression,
                struct ftri_view plain)
{
    switch (compression) {
    case FTR_OTLP_GZIP:
        return ftri_gzip(plain, GZIP_LEVEL, &self->packed);
    case FTR_OTLP_ZSTD:
        return pack_zstd(self, plain);
    default:
        return ftri_bytes_append(&self->packed, plain.data, plain.len);
    }
}

static int pack_call(struct ftri_otlp_message *self, ftr_otlp_compression compression,
                     struct ftri_view plain)
{
    uint8_t prefix[FTRI_GRPC_PREFIX_BYTES] = {0};
    struct ftri_bytes *out = &self->packed;
    int r = ftri_bytes_append(out, prefix, sizeof prefix);
    if (r == 0)
        r = pack(self, compression, plain);
    if (r == 0)
        ftri_grpc_write_prefix(out->data, compression != FTR_OTLP_PLAIN, out->len - sizeof prefix);
    return r;
}

static int write_json(enum ftri_otlp_settings_signal signal, struct ftri_view otlp,
                      struct ftri_bytes *out)
{
    switch (signal) {
    case FTRI_OTLP_SETTINGS_METRICS:
        return ftri_otlp_metrics_to_json(otlp, out);
    case FTRI_OTLP_SETTINGS_LOGS:
        return ftri_otlp_logs_to_json(otlp, out);
    default:
        return ftri_otlp_traces_to_json(otlp, out);
    }
}

int ftri_otlp_message_write(struct ftri_otlp_message *self,
                            const struct ftri_otlp_settings *settings, struct ftri_view otlp,
                            struct ftri_view *ret_body)
{
    const bool is_grpc = settings->protocol == FTR_OTLP_GRPC;
    struct ftri_view plain = otlp;
    int r = 0;
    if (settings->protocol == FTR_OTLP_HTTP_JSON) {
        ftri_bytes_reset(&self->json);
        r = write_json(settings->signal, otlp, &self->json);
        plain = ftri_bytes_view(&self->json);
    }
    if (r == 0 && plain.len > FTRI_OTLP_REQUEST_BYTES)
        r = -EMSGSIZE;
    if (r < 0)
        return r;
    *ret_body = plain;
    if (!is_grpc && settings->compression == FTR_OTLP_PLAIN)
        return 0;
    ftri_bytes_reset(&self->packed);
    r = is_grpc ? pack_call(self, settings->compression, plain)
                : pack(self, settings->compression, plain);
    *ret_body = ftri_bytes_view(&self->packed);
    return r;
}
