/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_message.h"

#include "codec/gzip.h"
#include "codec/zstd.h"
#include "export/otlp_settings.h"
#include "otlp/json.h"

#include <errno.h>

/* zstd 1 packs spans as tightly as gzip 6, in a sixteenth of its time. */
enum { GZIP_LEVEL = 6, ZSTD_LEVEL = 1 };

void ftri_otlp_message_init(struct ftri_otlp_message *self)
{
    self->zstd = NULL;
    ftri_bytes_init(&self->json, FTRI_OTLP_REQUEST_BYTES);
    ftri_bytes_init(&self->packed, FTRI_OTLP_REQUEST_BYTES);
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
    return compression == FTR_OTLP_GZIP ? ftri_gzip(plain, GZIP_LEVEL, &self->packed)
                                        : pack_zstd(self, plain);
}

static void write_head(struct ftri_otlp_message *self, bool is_packed,
                       struct ftri_otlp_body *ret_body)
{
    ftri_grpc_write_prefix(self->prefix, is_packed, ret_body->rest.len);
    ret_body->head = ftri_view_of(self->prefix, sizeof self->prefix);
}

static int write_json(enum ftri_otlp_signal signal, struct ftri_view otlp, struct ftri_bytes *out)
{
    switch (signal) {
    case FTRI_OTLP_METRICS:
        return ftri_otlp_metrics_to_json(otlp, out);
    case FTRI_OTLP_LOGS:
        return ftri_otlp_logs_to_json(otlp, out);
    default:
        return ftri_otlp_traces_to_json(otlp, out);
    }
}

int ftri_otlp_message_write(struct ftri_otlp_message *self,
                            const struct ftri_otlp_settings *settings, struct ftri_view otlp,
                            struct ftri_otlp_body *ret_body)
{
    struct ftri_otlp_body body = {.rest = otlp};
    int r = 0;
    if (settings->protocol == FTR_OTLP_HTTP_JSON) {
        ftri_bytes_reset(&self->json);
        r = write_json(settings->signal, otlp, &self->json);
        body.rest = ftri_bytes_view(&self->json);
    }
    if (r == 0 && body.rest.len > FTRI_OTLP_REQUEST_BYTES)
        r = -EMSGSIZE;
    if (r == 0 && settings->compression != FTR_OTLP_PLAIN) {
        ftri_bytes_reset(&self->packed);
        r = pack(self, settings->compression, body.rest);
        body.rest = ftri_bytes_view(&self->packed);
    }
    if (r < 0)
        return r;
    if (settings->protocol == FTR_OTLP_GRPC)
        write_head(self, settings->compression != FTR_OTLP_PLAIN, &body);
    *ret_body = body;
    return 0;
}
