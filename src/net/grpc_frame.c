/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_frame.h"

#include "base/time.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { TIMEOUT_DIGITS_MOST = 8 };

void grpc_reader_init(struct grpc_reader *self, size_t limit)
{
    memset(self, 0, sizeof *self);
    ftri_bytes_init(&self->message, limit);
}

void grpc_reader_deinit(struct grpc_reader *self)
{
    ftri_bytes_deinit(&self->message);
}

bool grpc_reader_is_inside(const struct grpc_reader *self)
{
    return self->n_prefix > 0 && (self->n_prefix < GRPC_PREFIX_BYTES || self->n_left > 0);
}

static void skip(struct ftri_view *view, size_t n)
{
    *view = ftri_view_of(view->data + n, view->len - n);
}

/* The prefix is complete. */
static int begin_message(struct grpc_reader *self)
{
    if (self->prefix[0] > 1)
        return -EBADMSG;
    self->is_compressed = self->prefix[0] == 1;
    self->n_left = (size_t)self->prefix[1] << 24 | (size_t)self->prefix[2] << 16 |
                   (size_t)self->prefix[3] << 8 | self->prefix[4];
    return self->n_left > self->message.limit ? -EMSGSIZE : 0;
}

static int take_prefix(struct grpc_reader *self, struct ftri_view *input)
{
    if (self->n_prefix == 0) /* the caller may have taken the last message and its limit */
        ftri_bytes_reset(&self->message);
    const size_t n = ftri_size_min(GRPC_PREFIX_BYTES - self->n_prefix, input->len);
    if (n == 0)
        return 0;
    memcpy(self->prefix + self->n_prefix, input->data, n);
    self->n_prefix += n;
    skip(input, n);
    return self->n_prefix < GRPC_PREFIX_BYTES ? 0 : begin_message(self);
}

int grpc_reader_take(struct grpc_reader *self, struct ftri_view *input)
{
    if (self->n_prefix < GRPC_PREFIX_BYTES) {
        const int r = take_prefix(self, input);
        if (r < 0)
            return r;
        if (self->n_prefix < GRPC_PREFIX_BYTES)
            return GRPC_READER_MORE;
    }
    const size_t n = ftri_size_min(self->n_left, input->len);
    const int r = n ? ftri_bytes_append(&self->message, input->data, n) : 0;
    if (r < 0)
        return r;
    skip(input, n);
    self->n_left -= n;
    if (self->n_left > 0)
        return GRPC_READER_MORE;
    self->n_prefix = 0;
    return GRPC_READER_MESSAGE;
}

bool grpc_scanner_next(struct grpc_scanner *self, struct ftri_view *input,
                       struct grpc_frame_head *ret_head)
{
    const size_t n_passed = ftri_size_min(self->n_left, input->len);
    skip(input, n_passed);
    self->n_left -= n_passed;
    const size_t n = ftri_size_min(sizeof self->head - self->n_head, input->len);
    if (n == 0)
        return false;
    memcpy(self->head + self->n_head, input->data, n);
    skip(input, n);
    self->n_head += n;
    if (self->n_head < sizeof self->head)
        return false;
    const uint8_t *head = self->head;
    self->n_head = 0;
    self->n_left = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    *ret_head = (struct grpc_frame_head){
        .len = self->n_left,
        .type = head[3],
        .stream_id = (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
                               (uint32_t)head[7] << 8 | head[8]),
    };
    return true;
}

int grpc_put_message(struct ftri_bytes *out, struct ftri_view message)
{
    if (message.len > UINT32_MAX)
        return -EMSGSIZE;
    const uint8_t prefix[GRPC_PREFIX_BYTES] = {0, (uint8_t)(message.len >> 24),
                                               (uint8_t)(message.len >> 16),
                                               (uint8_t)(message.len >> 8), (uint8_t)message.len};
    int r = ftri_bytes_reserve(out, sizeof prefix + message.len);
    if (r == 0)
        r = ftri_bytes_append(out, prefix, sizeof prefix);
    if (r == 0)
        r = ftri_bytes_append(out, message.data, message.len);
    return r;
}

static uint64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return 3600 * FTRI_NS_PER_S;
    case 'M':
        return 60 * FTRI_NS_PER_S;
    case 'S':
        return FTRI_NS_PER_S;
    case 'm':
        return FTRI_NS_PER_MS;
    case 'u':
        return FTRI_NS_PER_US;
    case 'n':
        return 1;
    default:
        return 0;
    }
}

int grpc_timeout_parse(ftr_str text, uint64_t *ret_ns)
{
    if (text.len < 2 || text.len > TIMEOUT_DIGITS_MOST + 1)
        return -EINVAL;
    uint64_t number = 0;
    for (size_t i = 0; i < text.len - 1; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -EINVAL;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    /* 99999999 hours are 3.6e20 ns, beyond 64 bits. */
    const uint64_t unit = unit_ns(text.data[text.len - 1]);
    if (unit == 0)
        return -EINVAL;
    *ret_ns = number > UINT64_MAX / unit ? UINT64_MAX : number * unit;
    return 0;
}

bool grpc_is_content_type(ftr_str value)
{
    static const char type[] = "application/grpc";
    static const char proto[] = "+proto";
    size_t len = sizeof type - 1;
    if (value.len < len || strncasecmp(value.data, type, len) != 0)
        return false;
    const size_t proto_len = sizeof proto - 1;
    if (value.len - len >= proto_len && strncasecmp(value.data + len, proto, proto_len) == 0)
        len += proto_len;
    return value.len == len || value.data[len] == ';' || value.data[len] == ' ';
}
