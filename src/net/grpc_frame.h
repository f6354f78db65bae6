/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of gRPC over HTTP/2 that are text and framing (gRPC, doc/PROTOCOL-HTTP2.md). Sans-I/O,
 * any thread.
 *
 *   message = flag(1: 0 plain, 1 compressed) length(4, big-endian) bytes
 *
 * Messages and DATA frames know nothing of each other: either may be cut anywhere. */
#pragma once

#include "base/bytes.h"

enum { GRPC_PREFIX_BYTES = 5 };

/* Outcomes of grpc_reader_take beside errors. */
enum { GRPC_READER_MORE = 0, GRPC_READER_MESSAGE = 1 };

struct grpc_reader {
    uint8_t prefix[GRPC_PREFIX_BYTES];
    size_t n_prefix;
    bool is_compressed;
    size_t n_left;             /* bytes of the message that are still to come */
    struct ftri_bytes message; /* complete after GRPC_READER_MESSAGE; the caller may take it */
};

/* No message may be longer than limit. */
void grpc_reader_init(struct grpc_reader *self, size_t limit);
void grpc_reader_deinit(struct grpc_reader *self);
/* Takes from the front of *input, at most up to the end of one message; *input is what is left. The
 * next call after a message begins the next one. -EBADMSG: a flag that is neither 0 nor 1;
 * -EMSGSIZE: longer than the limit (known from the prefix alone); -ENOMEM. */
int grpc_reader_take(struct grpc_reader *self, struct ftri_view *input) FTRI_MUST_CHECK;
/* True in the middle of a message. */
bool grpc_reader_is_inside(const struct grpc_reader *self);

/* The heads of HTTP/2 frames in a stream of bytes (RFC 9113 4.1). */
enum { GRPC_FRAME_HEAD_BYTES = 9 };

struct grpc_frame_head {
    size_t len; /* of the payload */
    uint8_t type;
    int32_t stream_id;
};

struct grpc_scanner {
    uint8_t head[GRPC_FRAME_HEAD_BYTES];
    size_t n_head;
    size_t n_left; /* bytes to be passed over; at the start, of the preface */
};

/* Takes from the front of *input up to the end of the next head. False: there is none, and all of
 * the input is used. */
bool grpc_scanner_next(struct grpc_scanner *self, struct ftri_view *input,
                       struct grpc_frame_head *ret_head) FTRI_MUST_CHECK;

/* Appends an uncompressed message. */
int grpc_put_message(struct ftri_bytes *out, struct ftri_view message) FTRI_MUST_CHECK;

/* "5S", "100m": 1 to 8 digits and one of H M S m u n. -EINVAL otherwise. */
int grpc_timeout_parse(ftr_str text, uint64_t *ret_ns) FTRI_MUST_CHECK;

/* Appends the text of grpc-message: all but printable ASCII, and '%', as %XX. */
int grpc_percent_encode(ftr_str text, struct ftri_bytes *out) FTRI_MUST_CHECK;

/* Appends google.rpc.Status{code, message, [RetryInfo{delay_ns}]}: what clients need to see before
 * they try again. */
/* google.rpc.RetryInfo alone. */
int grpc_put_retry_info(struct ftri_bytes *out, uint64_t delay_ns) FTRI_MUST_CHECK;
int grpc_put_retry_status(struct ftri_bytes *out, int32_t code, ftr_str message,
                          uint64_t delay_ns) FTRI_MUST_CHECK;

/* True for application/grpc and application/grpc+proto, with or without parameters. */
bool grpc_is_content_type(ftr_str value);
