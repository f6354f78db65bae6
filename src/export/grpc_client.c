/* SPDX-License-Identifier: Apache-2.0
 *
 *   message: 0 or 1 (compressed), its length (4 bytes, big-endian), its bytes
 *
 * The status stands in the trailers grpc-status, grpc-message (percent-encoded) and
 * grpc-status-details-bin (base64 of a google.rpc.Status). */
#include "export/grpc_client.h"

#include "base/text.h"
#include "base/time.h"
#include "codec/base64.h"
#include "codec/gzip.h"
#include "export/http_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { UNKNOWN = 2, UNIMPLEMENTED = 12, INTERNAL = 13, UNAVAILABLE = 14 };

static const char *const statuses[FTRI_GRPC_N_STATUSES] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *ftri_grpc_status_name(int status)
{
    return statuses[status];
}

void ftri_grpc_write_prefix(uint8_t prefix[FTRI_GRPC_PREFIX_BYTES], bool is_compressed, size_t len)
{
    prefix[0] = is_compressed;
    for (int i = 0; i < 4; i++)
        prefix[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* At most 8 digits. */
void ftri_grpc_format_timeout(uint64_t timeout_ns, char *ret_text, size_t room)
{
    const uint64_t ms = timeout_ns / FTRI_NS_PER_MS;
    if (ms < 100000000)
        snprintf(ret_text, room, "grpc-timeout: %" PRIu64 "m", ms ? ms : 1);
    else
        snprintf(ret_text, room, "grpc-timeout: %" PRIu64 "S",
                 ms / 1000 < 99999999 ? ms / 1000 : 99999999);
}

void ftri_grpc_head_init(struct ftri_grpc_head *self)
{
    self->status = FTRI_GRPC_CUT_OFF;
    self->is_grpc = self->is_gzip = false;
    self->text_len = self->details_len = 0;
}

static int read_status(ftr_str value)
{
    int status = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || status > 99)
            return UNKNOWN;
        status = status * 10 + value.data[i] - '0';
    }
    return value.len > 0 && status < FTRI_GRPC_N_STATUSES ? status : UNKNOWN;
}

/* A text that does not fit, or has a bad escape, is taken as it is, cut. */
static void take_text(struct ftri_grpc_head *self, ftr_str value)
{
    self->text_len = ftri_percent_decode(value, self->text, sizeof self->text);
    if (self->text_len != SIZE_MAX)
        return;
    self->text_len = ftri_size_min(value.len, sizeof self->text);
    memcpy(self->text, value.data, self->text_len);
}

static void take_details(struct ftri_grpc_head *self, ftr_str value)
{
    struct ftri_bytes details;
    ftri_bytes_init(&details, sizeof self->details);
    if (ftri_base64_decode(value, &details) == 0 && details.len > 0) {
        memcpy(self->details, details.data, details.len);
        self->details_len = details.len;
    }
    ftri_bytes_deinit(&details);
}

static bool is_grpc_type(ftr_str value)
{
    static const ftr_str wanted = {"application/grpc", 16};
    return value.len >= wanted.len &&
           ftri_text_same_word((ftr_str){value.data, wanted.len}, wanted) &&
           (value.len == wanted.len || strchr("+; ", value.data[wanted.len]));
}

void ftri_grpc_head_take(void *argument, ftr_str name, ftr_str value)
{
    struct ftri_grpc_head *self = argument;
    if (ftri_text_same_word(name, FTR_STR("grpc-status")))
        self->status = read_status(value);
    else if (ftri_text_same_word(name, FTR_STR("grpc-message")))
        take_text(self, value);
    else if (ftri_text_same_word(name, FTR_STR("grpc-status-details-bin")))
        take_details(self, value);
    else if (ftri_text_same_word(name, FTR_STR("grpc-encoding")))
        self->is_gzip = ftri_text_is(value, "gzip");
    else if (ftri_text_same_word(name, FTR_STR("content-type")))
        self->is_grpc = is_grpc_type(value);
}

/* grpc/doc/http-grpc-status-mapping.md: for what no gRPC server answered. */
static int status_of_http(int http_status)
{
    static const int rows[][2] = {{400, INTERNAL},      {401, 16},          {403, 7},
                                  {404, UNIMPLEMENTED}, {429, UNAVAILABLE}, {502, UNAVAILABLE},
                                  {503, UNAVAILABLE},   {504, UNAVAILABLE}};
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        if (rows[i][0] == http_status)
            return rows[i][1];
    return UNKNOWN;
}

bool ftri_grpc_is_answer(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer)
{
    return head->is_grpc && answer->status == 200;
}

int ftri_grpc_status(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer)
{
    return ftri_grpc_is_answer(head, answer) ? head->status : status_of_http(answer->status);
}

static int unpack(struct ftri_view packed, struct ftri_bytes *out)
{
    struct ftri_gunzip *gunzip = ftri_gunzip_new();
    if (!gunzip)
        return -ENOMEM;
    ftri_bytes_reset(out);
    const int r = ftri_gunzip_feed(gunzip, packed, out);
    const bool is_complete = ftri_gunzip_is_complete(gunzip);
    ftri_gunzip_free(gunzip);
    return r == 0 && !is_complete ? -EBADMSG : r;
}

int ftri_grpc_message(const struct ftri_grpc_head *head, const struct ftri_http_answer *answer,
                      struct ftri_bytes *unpacked, struct ftri_view *ret_message)
{
    const struct ftri_view body = answer->body;
    if (body.len < FTRI_GRPC_PREFIX_BYTES)
        return -EBADMSG;
    size_t len = 0;
    for (int i = 1; i < FTRI_GRPC_PREFIX_BYTES; i++)
        len = len << 8 | body.data[i];
    const struct ftri_view message = {body.data + FTRI_GRPC_PREFIX_BYTES, len};
    if (len != body.len - FTRI_GRPC_PREFIX_BYTES || body.data[0] > 1)
        return -EBADMSG;
    *ret_message = message;
    if (body.data[0] == 0)
        return 0;
    if (!head->is_gzip)
        return -EBADMSG;
    const int r = unpack(message, unpacked);
    *ret_message = ftri_bytes_view(unpacked);
    return r;
}
