/* SPDX-License-Identifier: Apache-2.0
 *
 * One walk down the containers of a request,
 *
 *   request > Resource... > Scope... > (Metric > Gauge, Sum, ... >) items
 *
 * which the schema's tables tell apart: a message field that is neither an item, nor an attribute,
 * nor a resource, nor a scope is a container. The depth is theirs: five. */
#include "otlp/edit.h"

#include "codec/wire.h"
#include "otlp/schema.h"

struct walk {
    const struct ftri_otlp_edit *edit;
    struct ftri_bytes *out; /* NULL: nothing is written */
    struct ftri_otlp_item item;
    size_t n_kept;
};

enum field_role { ROLE_PLAIN, ROLE_ITEM, ROLE_RESOURCE, ROLE_SCOPE, ROLE_CONTAINER };

static enum field_role role_of(const struct ftri_otlp_field *field)
{
    if (!field || field->kind != FTRI_OTLP_KIND_MESSAGE || (field->flags & FTRI_OTLP_ATTRIBUTE))
        return ROLE_PLAIN;
    if (field->flags & FTRI_OTLP_COUNTED)
        return ROLE_ITEM;
    if (field->message == &ftri_otlp_resource_message)
        return ROLE_RESOURCE;
    return field->message == &ftri_otlp_scope_message ? ROLE_SCOPE : ROLE_CONTAINER;
}

static int append(const struct walk *self, const uint8_t *data, size_t len)
{
    return self->out ? ftri_bytes_append(self->out, data, len) : 0;
}

static int put_rewritten(const struct walk *self, enum ftri_otlp_part part,
                         const struct ftri_otlp_field *field, struct ftri_view bytes)
{
    size_t mark = 0;
    int r = ftri_wire_begin(self->out, field->number, &mark);
    if (r == 0)
        r = self->edit->rewrite(self->edit->argument, part, field->message, bytes, self->out);
    return r == 0 ? ftri_wire_end(self->out, mark) : r;
}

/* whole: the field with its tag and length. */
static int put_part(const struct walk *self, enum ftri_otlp_part part,
                    const struct ftri_otlp_field *field, struct ftri_view bytes,
                    struct ftri_view whole)
{
    if (self->out && self->edit->rewrite)
        return put_rewritten(self, part, field, bytes);
    return append(self, whole.data, whole.len);
}

static int put_item(struct walk *self, const struct ftri_otlp_field *field, struct ftri_view bytes,
                    struct ftri_view whole)
{
    self->item.message = field->message;
    self->item.bytes = bytes;
    if (self->edit->keeps && !self->edit->keeps(self->edit->argument, &self->item))
        return 0;
    self->n_kept++;
    return put_part(self, FTRI_OTLP_PART_ITEM, field, bytes, whole);
}

/* The last field of a role, as the last of a singular field counts. */
static const struct ftri_otlp_field *find_role(const struct ftri_otlp_message *message,
                                               enum field_role role, struct ftri_view bytes,
                                               struct ftri_view *ret_found)
{
    const struct ftri_otlp_field *known = NULL;
    for (size_t i = 0; !known && i < message->n_fields; i++)
        if (role_of(&message->fields[i]) == role)
            known = &message->fields[i];
    *ret_found = (struct ftri_view){0};
    struct ftri_wire_field field;
    size_t next = 0;
    while (known && ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD)
        if (field.number == known->number)
            *ret_found = field.bytes;
    return known;
}

/* A rewrite may add to a resource or scope that is not there. */
static int put_missing(const struct walk *self, enum ftri_otlp_part part,
                       const struct ftri_otlp_field *field)
{
    const size_t before = self->out ? self->out->len : 0;
    if (!self->out || !self->edit->rewrite)
        return 0;
    const int r = put_rewritten(self, part, field, (struct ftri_view){0});
    if (r == 0 && self->out->len == before + 2) /* tag and length of nothing */
        self->out->len = before;
    return r;
}

/* What stands in this container is where the items below stand. */
static int enter(struct walk *self, const struct ftri_otlp_message *message, struct ftri_view bytes)
{
    struct ftri_view found;
    const struct ftri_otlp_field *field = find_role(message, ROLE_RESOURCE, bytes, &found);
    if (field) {
        self->item.resource = found;
        return found.data ? 0 : put_missing(self, FTRI_OTLP_PART_RESOURCE, field);
    }
    field = find_role(message, ROLE_SCOPE, bytes, &found);
    if (field) {
        self->item.scope = found;
        return found.data ? 0 : put_missing(self, FTRI_OTLP_PART_SCOPE, field);
    }
    if (ftri_otlp_field_named(message, FTR_STR("metadata"))) /* a Metric */
        self->item.metric = bytes;
    return 0;
}

static int put_container(struct walk *self, const struct ftri_otlp_field *field,
                         struct ftri_view bytes);

/* Recursion is bounded by the tables. */
static int put_fields(struct walk *self, const struct ftri_otlp_message *message,
                      struct ftri_view bytes)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r = enter(self, message, bytes);
    for (size_t start = 0; r == 0 && ftri_wire_next(bytes, &next, &field) == FTRI_WIRE_FIELD;
         start = next) {
        const struct ftri_otlp_field *known = ftri_otlp_field_numbered(message, field.number);
        const struct ftri_view whole = ftri_view_of(bytes.data + start, next - start);
        switch (field.type == FTRI_WIRE_BYTES ? role_of(known) : ROLE_PLAIN) {
        case ROLE_ITEM:
            r = put_item(self, known, field.bytes, whole);
            break;
        case ROLE_RESOURCE:
            r = put_part(self, FTRI_OTLP_PART_RESOURCE, known, field.bytes, whole);
            break;
        case ROLE_SCOPE:
            r = put_part(self, FTRI_OTLP_PART_SCOPE, known, field.bytes, whole);
            break;
        case ROLE_CONTAINER:
            r = put_container(self, known, field.bytes);
            break;
        case ROLE_PLAIN:
            r = append(self, whole.data, whole.len);
            break;
        }
    }
    return r;
}

static int put_container(struct walk *self, const struct ftri_otlp_field *field,
                         struct ftri_view bytes)
{
    if (!self->out)
        return put_fields(self, field->message, bytes);
    const size_t before = self->out->len, n_before = self->n_kept;
    size_t mark = 0;
    int r = ftri_wire_begin(self->out, field->number, &mark);
    if (r == 0)
        r = put_fields(self, field->message, bytes);
    if (r == 0)
        r = ftri_wire_end(self->out, mark);
    if (r == 0 && self->edit->keeps && self->n_kept == n_before)
        self->out->len = before;
    return r;
}

int ftri_otlp_edit(const struct ftri_otlp_message *request, struct ftri_view bytes,
                   const struct ftri_otlp_edit *edit, struct ftri_bytes *out, size_t *ret_n_kept)
{
    struct walk walk = {.edit = edit, .out = out};
    const size_t before = out->len;
    const int r = put_fields(&walk, request, bytes);
    if (r < 0)
        out->len = before;
    else
        *ret_n_kept = walk.n_kept;
    return r;
}

void ftri_otlp_visit(const struct ftri_otlp_message *request, struct ftri_view bytes,
                     const struct ftri_otlp_edit *edit)
{
    struct walk walk = {.edit = edit};
    (void)put_fields(&walk, request, bytes); /* without output nothing can fail */
}
