/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the message bytes of a stream. However DATA frames cut them, the same messages must
 * come out. */
#include "net/grpc_frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_BYTES = 512 };

struct account {
    struct grpc_reader reader;
    uint64_t hash; /* of the messages, in order */
    size_t n_messages;
    int error;
};

static void add(struct account *self)
{
    const struct ftri_bytes *message = &self->reader.message;
    if (message->len > MESSAGE_BYTES)
        abort();
    for (size_t i = 0; i < message->len; i++)
        self->hash = (self->hash ^ message->data[i]) * UINT64_C(1099511628211);
    self->hash = (self->hash ^ self->reader.is_compressed) * UINT64_C(1099511628211);
    self->n_messages++;
}

static void feed(struct account *self, struct ftri_view piece)
{
    while (piece.len > 0 && self->error == 0) {
        const int r = grpc_reader_take(&self->reader, &piece);
        if (r == GRPC_READER_MESSAGE)
            add(self);
        self->error = r < 0 ? r : 0;
    }
}

/* However the bytes are cut, the heads are the same. */
static uint64_t hash_heads(struct ftri_view bytes, size_t piece)
{
    struct grpc_scanner scanner = {.n_left = bytes.len % 7};
    struct grpc_frame_head head;
    uint64_t hash = 0;
    for (size_t i = 0; i < bytes.len; i += piece) {
        struct ftri_view input = ftri_view_of(bytes.data + i, ftri_size_min(piece, bytes.len - i));
        while (grpc_scanner_next(&scanner, &input, &head)) {
            if (head.len >> 24 || head.stream_id < 0)
                abort();
            hash =
                (hash ^ head.len ^ head.type) * UINT64_C(1099511628211) + (uint32_t)head.stream_id;
        }
        if (input.len)
            abort();
    }
    return hash;
}

static void read_texts(struct ftri_view bytes)
{
    const ftr_str text = ftri_view_str(bytes);
    struct ftri_bytes out;
    uint64_t ns = 0;
    ftri_bytes_init(&out, 3 * bytes.len + 1);
    if (grpc_timeout_parse(text, &ns) < 0 && ns != 0)
        abort();
    if (grpc_percent_encode(text, &out) < 0)
        abort();
    for (size_t i = 0; i < out.len; i++)
        if (out.data[i] < ' ' || out.data[i] > '~')
            abort();
    (void)grpc_is_content_type(text);
    ftri_bytes_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct account whole = {0};
    struct account single = {0};
    const struct ftri_view bytes = ftri_view_of(data, size);
    grpc_reader_init(&whole.reader, MESSAGE_BYTES);
    grpc_reader_init(&single.reader, MESSAGE_BYTES);
    feed(&whole, bytes);
    for (size_t i = 0; i < size; i++)
        feed(&single, ftri_view_of(data + i, 1));
    if (whole.hash != single.hash || whole.n_messages != single.n_messages ||
        whole.error != single.error)
        abort();
    grpc_reader_deinit(&whole.reader);
    grpc_reader_deinit(&single.reader);
    if (hash_heads(bytes, 1) != hash_heads(bytes, size + 1))
        abort();
    read_texts(bytes);
    return 0;
}
