/* SPDX-License-Identifier: Apache-2.0
 *
 * Jaeger's own fields (jaegertracing.io, client libraries, "Propagation format"):
 *
 *   uber-trace-id: {trace id}:{span id}:0:{flags}   see state_text.c
 *   uberctx-{key}: {value}                          one for each member of baggage
 *
 * The field, and the values, may be percent-encoded. Members are read where the carrier can name
 * its fields. */
#include "base/text.h"
#include "context/baggage.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>
#include <strings.h>

enum { FIELD_MAX = 128, NAMES_MOST = 1024 };

static const char prefix[] = "uberctx-";
enum { PREFIX_LEN = sizeof prefix - 1 };

static void inject_baggage(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char name[PREFIX_LEN + FTRI_BAGGAGE_BYTES];
    ftr_str rest = ftri_context_parts(context).baggage;
    struct ftri_baggage_member member;
    memcpy(name, prefix, PREFIX_LEN);
    while (ftri_baggage_next(&rest, &member)) {
        memcpy(name + PREFIX_LEN, member.key.data, member.key.len);
        carrier->set(fields, (ftr_str){name, PREFIX_LEN + member.key.len}, member.value);
    }
}

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    char text[FTR_STATE_TEXT_LEN + 1];
    const size_t len = ftri_state_text_write(context, true, text);
    if (len > 0)
        carrier->set(fields, FTR_STR("uber-trace-id"), (ftr_str){text, len});
    inject_baggage(context, carrier, fields);
}

static void extract_span(ftr_str field, ftr_context *context)
{
    char decoded[FIELD_MAX];
    const size_t len = field.data ? ftri_percent_decode(field, decoded, FIELD_MAX) : 0;
    if (len <= FIELD_MAX)
        (void)ftri_state_text_read((ftr_str){decoded, len}, context);
}

static void extract_baggage(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, parts.baggage);
    for (size_t nth = 0; carrier->name && nth < NAMES_MOST; nth++) {
        const ftr_str name = carrier->name(fields, nth);
        if (!name.data)
            break;
        if (name.len <= PREFIX_LEN || strncasecmp(name.data, prefix, PREFIX_LEN) != 0)
            continue;
        char key[FTRI_BAGGAGE_BYTES];
        const size_t key_len = name.len - PREFIX_LEN;
        if (key_len > sizeof key)
            continue;
        memcpy(key, name.data + PREFIX_LEN, key_len);
        const ftr_str value = carrier->get(fields, name, 0);
        if (value.data)
            (void)ftri_baggage_put(&baggage, (ftr_str){key, key_len}, value, FTR_STR(""));
    }
    parts.baggage = ftri_baggage_text(&baggage);
    (void)ftri_context_set_parts(context, &parts);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    extract_span(ftri_field_get(carrier, fields, FTR_STR("uber-trace-id")), context);
    extract_baggage(carrier, fields, context);
}

const struct ftri_propagator ftri_propagate_jaeger = {"jaeger", inject, extract};
