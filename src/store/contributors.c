/* SPDX-License-Identifier: Apache-2.0 */
#include "store/contributors.h"

#include "codec/manifest.h"
#include "otlp/view.h"
#include "store/store.h"

#include <errno.h>

enum { TRACE_BYTES_MIN = 8 };

_Static_assert((int)STORE_N_REFUSALS <= (int)STORE_REFUSALS_MAX, "the statistics have room");

static bool is_equal(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

bool contributors_is_manifest(ftr_str span_name)
{
    return span_name.len && is_equal(span_name, FTR_STR(FTRI_MANIFEST_SPAN_NAME));
}

bool contributors_may_be_named(const struct ftri_otlp_span *span)
{
    return span->links.end != 0 || contributors_is_manifest(span->name);
}

/* --- links --------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *id, size_t len)
{
    static const uint8_t zeros[16];
    return memcmp(id, zeros, len) == 0;
}

static enum store_relation relation_of(struct ftri_view link)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_LINK, link, FTR_STR(FTRI_MANIFEST_RELATION_KEY),
                                  &value))
        return STORE_RELATION_LINK;
    const ftr_value read = ftri_otlp_value_read(value);
    for (enum store_relation i = STORE_RELATION_FAN_IN; i < STORE_RELATION_LINK; i++) {
        const char *name = store_relation_name(i);
        if (read.type == FTR_VALUE_STR && is_equal(read.as.str, (ftr_str){name, strlen(name)}))
            return i;
    }
    return STORE_RELATION_LINK;
}

static int each_link(const struct ftri_otlp_span *span, contributor_each *each, void *argument)
{
    const struct ftri_view links = ftri_otlp_stretch_view(span, span->links);
    struct ftri_otlp_link link;
    size_t next = 0;
    int r = 0;
    while (r == 0 && ftri_otlp_link_next(links, &next, &link)) {
        if (is_zero(link.trace_id, 16) || is_zero(link.span_id, 8))
            continue;
        const struct contributor contributor = {link.trace_id, link.span_id,
                                                relation_of(link.bytes),
                                                memcmp(link.trace_id, span->trace_id, 16) == 0};
        r = each(argument, &contributor);
    }
    return r;
}

/* --- manifests ----------------------------------------------------------------------------- */

static bool find_packed(const struct ftri_otlp_span *span, struct ftri_view *ret_packed)
{
    struct ftri_view value;
    if (!ftri_otlp_attribute_find(FTRI_OTLP_SPAN, span->bytes, FTR_STR(FTRI_MANIFEST_KEY), &value))
        return false;
    const ftr_value read = ftri_otlp_value_read(value);
    if (read.type != FTR_VALUE_BYTES)
        return false;
    *ret_packed = ftri_view_of(read.as.str.data, read.as.str.len);
    return true;
}

/* Reads all of it once before anybody sees a part. */
static enum store_refusal check_packed(struct ftri_view packed)
{
    struct ftri_manifest_reader reader;
    struct ftri_manifest_id id, last = {0};
    size_t n_traces = 0;
    int r = ftri_manifest_open(&reader, packed);
    while (r == 0 && (r = ftri_manifest_read(&reader, &id)) == 0) {
        n_traces += memcmp(&id.trace_id, &last.trace_id, sizeof id.trace_id) != 0;
        last = id;
    }
    if (r < 0)
        return (enum store_refusal)reader.problem;
    return n_traces * TRACE_BYTES_MIN > packed.len ? STORE_REFUSAL_TOO_DENSE : STORE_REFUSAL_NONE;
}

static int each_packed(struct ftri_view packed, const uint8_t *trace_id, contributor_each *each,
                       void *argument)
{
    struct ftri_manifest_reader reader;
    struct ftri_manifest_id id;
    int r = ftri_manifest_open(&reader, packed);
    while (r == 0 && (r = ftri_manifest_read(&reader, &id)) == 0) {
        const struct contributor contributor = {id.trace_id.bytes, id.span_id.bytes,
                                                STORE_RELATION_MANIFEST,
                                                memcmp(&id.trace_id, trace_id, 16) == 0};
        r = each(argument, &contributor);
        if (r != 0)
            return r;
    }
    return r < 0 ? r : 0;
}

static int each_in_manifest(const struct ftri_otlp_span *span, contributor_each *each,
                            void *argument, enum store_refusal *ret_refusal)
{
    struct ftri_view packed;
    *ret_refusal = !span->parent_span_id         ? STORE_REFUSAL_NO_PARENT
                   : !find_packed(span, &packed) ? STORE_REFUSAL_NO_BYTES
                                                 : check_packed(packed);
    return *ret_refusal ? 0 : each_packed(packed, span->trace_id, each, argument);
}

int contributors_each(const struct ftri_otlp_span *span, contributor_each *each, void *argument,
                      enum store_refusal *ret_refusal)
{
    *ret_refusal = STORE_REFUSAL_NONE;
    if (contributors_is_manifest(span->name))
        return each_in_manifest(span, each, argument, ret_refusal);
    return span->links.end ? each_link(span, each, argument) : 0;
}
