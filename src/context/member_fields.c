/* SPDX-License-Identifier: Apache-2.0
 *
 * Baggage as OpenTracing's tracers carry it: each member in a field of its own, the key behind a
 * prefix. Members are read where the carrier can name its fields. */
#include "base/text.h"
#include "context/baggage.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>
#include <strings.h>

enum { PREFIX_MOST = 16, NAMES_MOST = 1024 };

/* False: what a field cannot hold (RFC 9110, 5.5), or too long. */
static bool is_field_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len && len <= FTRI_BAGGAGE_BYTES; i++)
        if (((uint8_t)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return len <= FTRI_BAGGAGE_BYTES;
}

static void write_value(ftr_str name, ftr_str value, enum ftri_member_form form,
                        const ftr_carrier *carrier, void *fields)
{
    char decoded[FTRI_BAGGAGE_BYTES];
    if (form == FTRI_MEMBERS_DECODED) {
        value.len = ftri_percent_decode(value, decoded, sizeof decoded);
        value.data = decoded;
        if (value.len == SIZE_MAX || !is_field_text(decoded, value.len))
            return;
    }
    carrier->set(fields, name, value);
}

void ftri_members_inject(const ftr_context *context, ftr_str prefix, enum ftri_member_form form,
                         const ftr_carrier *carrier, void *fields)
{
    char name[PREFIX_MOST + FTRI_BAGGAGE_BYTES];
    ftr_str rest = ftri_context_parts(context).baggage;
    struct ftri_baggage_member member;
    memcpy(name, prefix.data, prefix.len);
    while (ftri_baggage_next(&rest, &member)) {
        memcpy(name + prefix.len, member.key.data, member.key.len);
        write_value((ftr_str){name, prefix.len + member.key.len}, member.value, form, carrier,
                    fields);
    }
}

static void read_field(struct ftri_baggage *baggage, ftr_str name, size_t prefix_len,
                       enum ftri_member_form form, const ftr_carrier *carrier, void *fields)
{
    char text[FTRI_BAGGAGE_BYTES]; /* the name is borrowed until the next call */
    const ftr_str key = {text, name.len - prefix_len};
    if (key.len > sizeof text)
        return;
    memcpy(text, name.data + prefix_len, key.len);
    const ftr_str value = carrier->get(fields, name, 0);
    if (value.data && form == FTRI_MEMBERS_ENCODED)
        (void)ftri_baggage_put(baggage, key, value, FTR_STR(""));
    else if (value.data && is_field_text(value.data, value.len))
        (void)ftri_baggage_put_decoded(baggage, key, value);
}

void ftri_members_extract(ftr_str prefix, enum ftri_member_form form, const ftr_carrier *carrier,
                          void *fields, ftr_context *context)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, parts.baggage);
    for (size_t nth = 0; carrier->name && nth < NAMES_MOST; nth++) {
        const ftr_str name = carrier->name(fields, nth);
        if (!name.data)
            break;
        if (name.len > prefix.len && strncasecmp(name.data, prefix.data, prefix.len) == 0)
            read_field(&baggage, name, prefix.len, form, carrier, fields);
    }
    parts.baggage = ftri_baggage_text(&baggage);
    (void)ftri_context_set_parts(context, &parts);
}
