/* SPDX-License-Identifier: Apache-2.0 */
#include "query/phrase.h"

#include "otlp/view.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 120, NUMBER_BYTES = 32 };

void phrase_add(struct phrase *self, ftr_str text, size_t max)
{
    static const ftr_str ellipsis = {"…", 3};
    const size_t room = ftri_size_min(max, PHRASE_BYTES - self->len);
    size_t n = text.len;
    if (n > room) {
        if (room < ellipsis.len)
            return;
        n = room - ellipsis.len;
        while (n > 0 && ((unsigned char)text.data[n] & 0xc0) == 0x80)
            n--;
    }
    if (n)
        memcpy(self->text + self->len, text.data, n);
    self->len += n;
    if (n < text.len) {
        memcpy(self->text + self->len, ellipsis.data, ellipsis.len);
        self->len += ellipsis.len;
    }
}

bool phrase_can_hold(const ftr_value *value)
{
    return value->type == FTR_VALUE_STR || value->type == FTR_VALUE_BOOL ||
           value->type == FTR_VALUE_I64 || value->type == FTR_VALUE_F64;
}

void phrase_add_scalar(struct phrase *self, const ftr_value *value)
{
    char number[NUMBER_BYTES];
    if (value->type == FTR_VALUE_STR) {
        phrase_add(self, value->as.str, VALUE_BYTES_MAX);
        return;
    }
    if (value->type == FTR_VALUE_BOOL)
        snprintf(number, sizeof number, "%s", value->as.boolean ? "true" : "false");
    else if (value->type == FTR_VALUE_I64)
        snprintf(number, sizeof number, "%lld", (long long)value->as.i64);
    else
        snprintf(number, sizeof number, "%.4g", value->as.f64);
    phrase_add(self, ftr_str_from(number), NUMBER_BYTES);
}

/* What follows the last dot. */
static ftr_str short_key(ftr_str key)
{
    size_t start = key.len;
    while (start > 0 && key.data[start - 1] != '.')
        start--;
    return (ftr_str){key.data + start, key.len - start};
}

/* Texts speak for themselves, numbers need their name, and true is a name by itself. */
static void phrase_add_detail(struct phrase *self, ftr_str key, const ftr_value *value)
{
    if (value->type != FTR_VALUE_STR)
        phrase_add(self, short_key(key), PHRASE_NAME_BYTES);
    if (value->type == FTR_VALUE_BOOL)
        return;
    if (value->type != FTR_VALUE_STR)
        phrase_add(self, FTR_STR("="), 1);
    phrase_add_scalar(self, value);
}

static bool says_nothing(const ftr_value *value)
{
    static const ftr_str unspecified = {"unspecified", 11};
    if (value->type == FTR_VALUE_BOOL)
        return !value->as.boolean;
    return value->type == FTR_VALUE_STR && value->as.str.len == unspecified.len &&
           memcmp(value->as.str.data, unspecified.data, unspecified.len) == 0;
}

void phrase_set_event(struct phrase *ret_phrase, const struct ftri_otlp_event *event)
{
    ret_phrase->len = 0;
    phrase_add(ret_phrase, event->name, PHRASE_NAME_BYTES);
    struct ftri_otlp_attribute attribute;
    size_t n = 0;
    for (size_t next = 0;
         ftri_otlp_attribute_next(FTRI_OTLP_EVENT, event->bytes, &next, &attribute);) {
        const ftr_value value = ftri_otlp_value_read(attribute.value);
        if (!phrase_can_hold(&value) || says_nothing(&value) ||
            ret_phrase->len + VALUE_BYTES_MAX + 4 > PHRASE_BYTES)
            continue;
        phrase_add(ret_phrase, n++ ? FTR_STR(", ") : FTR_STR("("), 2);
        phrase_add_detail(ret_phrase, attribute.key, &value);
    }
    if (n)
        phrase_add(ret_phrase, FTR_STR(")"), 1);
}
