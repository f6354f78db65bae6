/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/processors/wal_record.h"

#include "engine/metadata.h"
#include "engine/pdata.h"
#include "otlp/signals.h"
#include "otlp/view.h"

#include <errno.h>

enum { HAS_METADATA = 0x100, LENGTH_BYTES = 4 };

static int put_body(struct ftri_bytes *body, struct ftri_view metadata, struct ftri_view payload)
{
    const size_t len = metadata.len;
    const uint8_t length[LENGTH_BYTES] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                                          (uint8_t)(len >> 24)};
    int r = ftri_bytes_reserve(body, sizeof length + metadata.len + payload.len);
    if (r == 0)
        r = ftri_bytes_append(body, length, sizeof length);
    if (r == 0)
        r = ftri_bytes_append(body, metadata.data, metadata.len);
    return r == 0 ? ftri_bytes_append(body, payload.data, payload.len) : r;
}

static int append_with_metadata(struct wal *wal, const struct pdata *pdata, uint64_t *ret_position)
{
    struct ftri_bytes body FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&body, SIZE_MAX / 2);
    const int r =
        put_body(&body, ftri_payload_view(pdata->metadata), ftri_payload_view(pdata->otlp));
    return r < 0 ? r
                 : wal_append(wal, (uint32_t)pdata->signal | HAS_METADATA, pdata->received_ns,
                              ftri_bytes_view(&body), ret_position);
}

int wal_record_append(struct wal *wal, const struct pdata *pdata, uint64_t *ret_position)
{
    if (pdata->metadata)
        return append_with_metadata(wal, pdata, ret_position);
    return wal_append(wal, (uint32_t)pdata->signal, pdata->received_ns,
                      ftri_payload_view(pdata->otlp), ret_position);
}

/* False: the body has no metadata where it has to be. */
static bool split_body(struct ftri_view body, struct ftri_view *ret_metadata,
                       struct ftri_view *ret_payload)
{
    if (body.len < LENGTH_BYTES)
        return false;
    const size_t len = (size_t)body.data[0] | (size_t)body.data[1] << 8 |
                       (size_t)body.data[2] << 16 | (size_t)body.data[3] << 24;
    if (len > body.len - LENGTH_BYTES)
        return false;
    *ret_metadata = ftri_view_of(body.data + LENGTH_BYTES, len);
    *ret_payload = ftri_view_of(body.data + LENGTH_BYTES + len, body.len - LENGTH_BYTES - len);
    return metadata_check(*ret_metadata);
}

static int check_payload(struct ftri_view payload, struct wal_content *content)
{
    struct ftri_otlp_counts counts = {0};
    struct ftri_otlp_error error;
    if (content->signal == FTR_SIGNAL_METRICS)
        return ftri_otlp_metrics_check(payload, &ftri_otlp_unlimited, &content->n_items, &error);
    const int r = ftri_otlp_traces_check(payload, &counts, &error);
    content->n_items = content->n_spans = counts.n_spans;
    return r;
}

int wal_record_read(const struct wal_record *record, struct wal_content *ret_content)
{
    const bool has_metadata = record->kind & HAS_METADATA;
    struct wal_content content = {.signal = (ftr_signal)(record->kind & ~(uint32_t)HAS_METADATA)};
    struct ftri_view metadata = {0}, payload = record->body;
    if (has_metadata && !split_body(record->body, &metadata, &payload))
        return -EBADMSG;
    if (check_payload(payload, &content) < 0)
        return -EBADMSG;
    content.payload = ftri_payload_copy(payload);
    content.metadata = has_metadata ? ftri_payload_copy(metadata) : NULL;
    if (!content.payload || (has_metadata && !content.metadata)) {
        ftri_payload_unref(content.payload);
        ftri_payload_unref(content.metadata);
        return -ENOMEM;
    }
    *ret_content = content;
    return 0;
}
