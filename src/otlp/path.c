/* SPDX-License-Identifier: Apache-2.0
 *
 * Names the place where a check stopped. The way down is found by offsets: of all fields that hold
 * messages, the one whose bytes include the wrong message's first byte. */
#include "otlp/check.h"

#include "codec/wire.h"
#include "otlp/schema.h"
#include "otlp/view.h"

#include <stdio.h>
#include <string.h>

/* Text that stops growing when it is full. */
struct path {
    char *text;
    size_t len;
    size_t capacity;
};

static void append_name(struct path *self, const char *name)
{
    const int n = snprintf(self->text + self->len, self->capacity - self->len, "%s%s",
                           self->len ? "." : "", name);
    self->len = ftri_size_min(self->len + (size_t)n, self->capacity - 1);
}

static void append_index(struct path *self, size_t index)
{
    const int n = snprintf(self->text + self->len, self->capacity - self->len, "[%zu]", index);
    self->len = ftri_size_min(self->len + (size_t)n, self->capacity - 1);
}

/* The child message that includes the byte at `place`; the fields before it were checked. */
static const struct ftri_otlp_field *find_child(const struct ftri_otlp_message *type,
                                                struct ftri_view message, const uint8_t *place,
                                                struct ftri_view *ret_child, size_t *ret_index)
{
    size_t n_before[FTRI_OTLP_NUMBER_END] = {0};
    struct ftri_wire_field field;
    size_t next = 0;
    while (ftri_wire_next(message, &next, &field) == FTRI_WIRE_FIELD) {
        const struct ftri_otlp_field *const known = ftri_otlp_field_numbered(type, field.number);
        if (!known || known->kind != FTRI_OTLP_KIND_MESSAGE || field.type != FTRI_WIRE_BYTES)
            continue;
        if (place >= field.bytes.data && place <= field.bytes.data + field.bytes.len) {
            *ret_child = field.bytes;
            *ret_index = n_before[field.number];
            return known;
        }
        n_before[field.number]++;
    }
    return NULL;
}

static const struct ftri_otlp_message *walk_down(const struct ftri_otlp_failure *failure,
                                                 const struct ftri_otlp_message *root,
                                                 struct ftri_view request, struct path *path)
{
    const struct ftri_otlp_message *type = root;
    struct ftri_view message = request;
    while (message.data != failure->message) {
        struct ftri_view child;
        size_t index;
        const struct ftri_otlp_field *const field =
            find_child(type, message, failure->message, &child, &index);
        if (!field)
            break;
        append_name(path, field->name);
        if (field->flags & FTRI_OTLP_REPEATED)
            append_index(path, index);
        type = field->message;
        message = child;
    }
    return type;
}

void ftri_otlp_failure_describe(const struct ftri_otlp_failure *failure,
                                const struct ftri_otlp_message *root, struct ftri_view request,
                                struct ftri_otlp_error *ret_error)
{
    *ret_error = (struct ftri_otlp_error){.offset = (size_t)(failure->at - request.data)};
    struct path path = {ret_error->path, 0, sizeof ret_error->path};
    const struct ftri_otlp_message *const type = walk_down(failure, root, request, &path);
    const struct ftri_otlp_field *const field = ftri_otlp_field_numbered(type, failure->number);
    if (field)
        append_name(&path, field->name);
    if (path.len == 0)
        append_name(&path, "request");
    if (strcmp(failure->problem, "size") == 0)
        snprintf(ret_error->reason, sizeof ret_error->reason, "expected %zu bytes, found %zu",
                 failure->expected, failure->found);
    else
        snprintf(ret_error->reason, sizeof ret_error->reason, "%s", failure->problem);
}
