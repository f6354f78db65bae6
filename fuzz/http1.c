/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the bytes of a connection. However they are cut, the parser must see the same
 * requests: two readers that disagree are what smuggling is made of. */
#include "net/http1.h"
#include "net/http_target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TARGET_BYTES = 256, FIELD_BYTES = 1024, N_FIELDS = 16 };

struct account {
    struct http1_parser parser;
    char room[TARGET_BYTES + HTTP1_LINE_OVERHEAD + FIELD_BYTES + HTTP1_CHUNK_LINE_BYTES];
    struct http1_field fields[N_FIELDS];
    uint64_t hash; /* of heads and bodies, in order */
    size_t n_requests;
    int refusal_status;
};

static void add(struct account *self, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        self->hash = (self->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
}

static void add_head(struct account *self)
{
    const struct http1_head *head = &self->parser.head;
    if (head->is_chunked && head->has_length)
        abort();
    add(self, head->method.data, head->method.len);
    add(self, head->target.data, head->target.len);
    add(self, head->authority.data, head->authority.len);
    for (size_t i = 0; i < head->n_fields; i++) {
        add(self, head->fields[i].name.data, head->fields[i].name.len);
        add(self, head->fields[i].value.data, head->fields[i].value.len);
    }
    struct ftri_bytes decoded;
    ftri_bytes_init(&decoded, TARGET_BYTES);
    const struct http_target target = http_target_cut(head->target);
    if (http_target_decode(target.path, &decoded) == 0 && memchr(decoded.data, 0, decoded.len))
        abort();
    (void)http_target_parameter(target.query, "a", &decoded);
    ftri_bytes_deinit(&decoded);
}

static void feed(struct account *self, struct ftri_view input)
{
    for (;;) {
        size_t used = 0;
        struct ftri_view piece = {0};
        const enum http1_event event = http1_next(&self->parser, input, &used, &piece);
        if (used > input.len)
            abort();
        input = ftri_view_of(input.data + used, input.len - used);
        if (event == HTTP1_HEAD)
            add_head(self);
        else if (event == HTTP1_BODY)
            add(self, piece.data, piece.len);
        if (event == HTTP1_MORE || event == HTTP1_REFUSED)
            break;
        if (event == HTTP1_END) {
            self->n_requests++;
            http1_reset(&self->parser);
        }
    }
    self->refusal_status = self->parser.refusal_status;
}

static void init(struct account *self)
{
    const struct http1_limits limits = {TARGET_BYTES, FIELD_BYTES, N_FIELDS};
    memset(self, 0, sizeof *self);
    http1_init(&self->parser, &limits, self->room, self->fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* The first byte says where the others are cut. */
    const struct ftri_view bytes = ftri_view_of(data + 1, size - 1);
    const size_t cut = bytes.len * data[0] / 256;
    struct account whole;
    struct account cut_once;
    struct account single;
    init(&whole);
    init(&cut_once);
    init(&single);
    feed(&whole, bytes);
    feed(&cut_once, ftri_view_of(bytes.data, cut));
    feed(&cut_once, ftri_view_of(bytes.data + cut, bytes.len - cut));
    for (size_t i = 0; i < bytes.len; i++)
        feed(&single, ftri_view_of(bytes.data + i, 1));
    const bool is_same = whole.hash == cut_once.hash && whole.hash == single.hash &&
                         whole.n_requests == cut_once.n_requests &&
                         whole.n_requests == single.n_requests &&
                         whole.refusal_status == cut_once.refusal_status &&
                         whole.refusal_status == single.refusal_status;
    if (!is_same)
        abort();
    return 0;
}
