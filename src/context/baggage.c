/* SPDX-License-Identifier: Apache-2.0
 *
 *   member   = key OWS "=" OWS value *( OWS ";" OWS property )     key: an HTTP token
 *   value    = visible ASCII but " , ; \                           property: visible ASCII but " ,
 * ; */
#include "context/baggage.h"

#include "base/text.h"
#include "context/block.h"
#include "context/propagator.h"

#include <string.h>

/* ---- characters ---- */

static bool is_value_char(char c)
{
    return c > ' ' && c < 0x7f && !strchr("\",;\\", c);
}

static bool is_value(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_value_char(text.data[i]))
            return false;
    return true;
}

static bool is_properties(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] >= 0x7f ||
            text.data[i] == ',')
            return false;
    return true;
}

/* ---- members ---- */

/* "key=value;properties" without the space around its parts. */
static bool split_member(ftr_str text, struct ftri_baggage_member *ret_member)
{
    ftr_str head;
    ftr_str key;
    *ret_member = (struct ftri_baggage_member){0};
    if (!memchr(text.data, '=', text.len) || !ftri_text_split(&text, ';', &head) ||
        !ftri_text_split(&head, '=', &key))
        return false;
    ret_member->key = ftri_trim(key);
    ret_member->value = ftri_trim(head);
    ret_member->properties = ftri_trim(text);
    return true;
}

bool ftri_baggage_next(ftr_str *rest, struct ftri_baggage_member *ret_member)
{
    for (ftr_str text; ftri_text_split(rest, ',', &text);)
        if (split_member(text, ret_member))
            return true;
    return false;
}

void ftri_baggage_init(struct ftri_baggage *self, ftr_str text)
{
    struct ftri_baggage_member member;
    self->len = text.len;
    self->n = self->n_bytes_read = self->n_members_read = 0;
    memcpy(self->text, text.data, text.len);
    while (ftri_baggage_next(&text, &member))
        self->n++;
}

/* Where the member with this key begins and how long it is, with one comma; 0: not there. */
static size_t find(const struct ftri_baggage *self, ftr_str key, size_t *ret_at)
{
    struct ftri_baggage_member member;
    ftr_str rest = ftri_baggage_text(self);
    for (const char *start = rest.data; ftri_baggage_next(&rest, &member); start = rest.data) {
        if (!ftri_text_same(member.key, key))
            continue;
        const bool is_last = rest.len == 0 && start > self->text;
        *ret_at = (size_t)(start - self->text) - is_last;
        return self->len - rest.len - *ret_at;
    }
    return 0;
}

void ftri_baggage_remove(struct ftri_baggage *self, ftr_str key)
{
    size_t at;
    const size_t len = find(self, key, &at);
    if (len == 0)
        return;
    memmove(self->text + at, self->text + at + len, self->len - at - len);
    self->len -= len;
    self->n--;
}

static void append(struct ftri_baggage *self, ftr_str text)
{
    memcpy(self->text + self->len, text.data, text.len);
    self->len += text.len;
}

/* Whether there is room for a member of n bytes in the place of the one with this key, if any. */
static bool has_room(const struct ftri_baggage *self, ftr_str key, size_t n)
{
    size_t at;
    const size_t replaced = find(self, key, &at);
    const size_t n_left = self->n - (replaced > 0);
    return n_left < FTRI_BAGGAGE_MEMBERS &&
           n + (n_left > 0) <= FTRI_BAGGAGE_BYTES - self->len + replaced;
}

bool ftri_baggage_put(struct ftri_baggage *self, ftr_str key, ftr_str value, ftr_str properties)
{
    const size_t n_properties = properties.len ? properties.len + 1 : 0;
    const bool is_huge = key.len > FTRI_BAGGAGE_BYTES || value.len > FTRI_BAGGAGE_BYTES ||
                         properties.len > FTRI_BAGGAGE_BYTES; /* and not looked at */
    if (is_huge || !ftri_text_is_token(key) || !is_value(value) || !is_properties(properties) ||
        !has_room(self, key, key.len + 1 + value.len + n_properties))
        return false;
    ftri_baggage_remove(self, key);
    if (self->n++ > 0)
        append(self, FTR_STR(","));
    append(self, key);
    append(self, FTR_STR("="));
    append(self, value);
    if (properties.len) {
        append(self, FTR_STR(";"));
        append(self, properties);
    }
    return true;
}

/* Of a field that is too long the whole members before the limit. */
static ftr_str cut_field(struct ftri_baggage *self, ftr_str field)
{
    const size_t left = FTRI_BAGGAGE_READ_BYTES - self->n_bytes_read;
    if (field.len > left) {
        const char *comma = memrchr(field.data, ',', left);
        field.len = comma ? (size_t)(comma - field.data) : 0;
        self->n_bytes_read = FTRI_BAGGAGE_READ_BYTES;
    } else {
        self->n_bytes_read += field.len;
    }
    return field;
}

static bool is_enough(const struct ftri_baggage *self)
{
    return self->n == FTRI_BAGGAGE_MEMBERS || self->len == FTRI_BAGGAGE_BYTES ||
           self->n_members_read == FTRI_BAGGAGE_READ_MEMBERS;
}

bool ftri_baggage_read(struct ftri_baggage *self, ftr_str field)
{
    struct ftri_baggage_member member;
    field = cut_field(self, field);
    for (ftr_str text; !is_enough(self) && ftri_text_split(&field, ',', &text);) {
        self->n_members_read++;
        if (split_member(text, &member))
            (void)ftri_baggage_put(self, member.key, member.value, member.properties);
    }
    return !is_enough(self) && self->n_bytes_read < FTRI_BAGGAGE_READ_BYTES;
}

/* ---- of a context ---- */

ftr_str ftr_context_baggage(const ftr_context *context)
{
    return ftri_context_parts(context).baggage;
}

bool ftr_baggage_get(const ftr_context *context, ftr_str key, char *ret_value, size_t room,
                     size_t *ret_len)
{
    struct ftri_baggage_member member;
    ftr_str rest = ftr_context_baggage(context);
    while (ftri_baggage_next(&rest, &member)) {
        if (!ftri_text_same(member.key, key))
            continue;
        *ret_len = ftri_percent_decode(member.value, ret_value, room);
        return *ret_len != SIZE_MAX;
    }
    return false;
}

static bool stays(char c)
{
    return is_value_char(c) && c != '%';
}

bool ftri_baggage_put_decoded(struct ftri_baggage *self, ftr_str key, ftr_str value)
{
    char encoded[FTRI_BAGGAGE_BYTES];
    const size_t len = ftri_percent_encode(value, stays, encoded, sizeof encoded);
    return len != SIZE_MAX && ftri_baggage_put(self, key, (ftr_str){encoded, len}, FTR_STR(""));
}

bool ftr_baggage_set(ftr_context *context, ftr_str key, ftr_str value)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, parts.baggage);
    if (!ftri_baggage_put_decoded(&baggage, key, value))
        return false;
    parts.baggage = ftri_baggage_text(&baggage);
    return ftri_context_set_parts(context, &parts);
}

void ftr_baggage_remove(ftr_context *context, ftr_str key)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, parts.baggage);
    ftri_baggage_remove(&baggage, key);
    parts.baggage = ftri_baggage_text(&baggage);
    (void)ftri_context_set_parts(context, &parts);
}

/* ---- in fields ---- */

static void inject(const ftr_context *context, const ftr_carrier *carrier, void *fields)
{
    const ftr_str text = ftri_context_parts(context).baggage;
    if (text.len > 0)
        carrier->set(fields, FTR_STR("baggage"), text);
}

static void extract(const ftr_carrier *carrier, void *fields, ftr_context *context)
{
    struct ftri_context_parts parts = ftri_context_parts(context);
    struct ftri_baggage baggage;
    ftri_baggage_init(&baggage, FTR_STR(""));
    for (size_t nth = 0; nth < FTRI_BAGGAGE_MEMBERS; nth++) {
        const ftr_str field = carrier->get(fields, FTR_STR("baggage"), nth);
        if (!field.data || !ftri_baggage_read(&baggage, field))
            break;
    }
    if (baggage.n == 0)
        return;
    parts.baggage = ftri_baggage_text(&baggage);
    (void)ftri_context_set_parts(context, &parts);
}

const struct ftri_propagator ftri_propagate_baggage = {"baggage", inject, extract};
