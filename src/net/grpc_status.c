/* SPDX-License-Identifier: Apache-2.0
 *
 * How a call's failure is written: grpc-message, and google.rpc.Status with its details. */
#include "net/grpc_frame.h"

#include "base/time.h"
#include "codec/wire.h"

int grpc_percent_encode(ftr_str text, struct ftri_bytes *out)
{
    static const char digits[] = "0123456789ABCDEF";
    int r = 0;
    for (size_t i = 0; i < text.len && r == 0; i++) {
        const uint8_t byte = (uint8_t)text.data[i];
        const char escaped[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        const bool is_plain = byte >= ' ' && byte <= '~' && byte != '%';
        r = is_plain ? ftri_bytes_append(out, &byte, 1) : ftri_bytes_append(out, escaped, 3);
    }
    return r;
}

/* google.protobuf.Duration: seconds 1, nanos 2. */
static int put_duration(struct ftri_bytes *out, uint32_t number, uint64_t ns)
{
    size_t mark;
    int r = ftri_wire_begin(out, number, &mark);
    if (r == 0 && ns >= FTRI_NS_PER_S)
        r = ftri_wire_put_varint(out, 1, ns / FTRI_NS_PER_S);
    if (r == 0 && ns % FTRI_NS_PER_S)
        r = ftri_wire_put_varint(out, 2, ns % FTRI_NS_PER_S);
    return r < 0 ? r : ftri_wire_end(out, mark);
}

/* RetryInfo: retry_delay 1. */
int grpc_put_retry_info(struct ftri_bytes *out, uint64_t delay_ns)
{
    return put_duration(out, 1, delay_ns);
}

/* google.protobuf.Any: type_url 1, value 2. */
static int put_any_retry_info(struct ftri_bytes *out, uint32_t number, uint64_t delay_ns)
{
    static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
    size_t any;
    size_t value;
    int r = ftri_wire_begin(out, number, &any);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 1, ftri_view_of(type, sizeof type - 1));
    if (r == 0)
        r = ftri_wire_begin(out, 2, &value);
    if (r == 0)
        r = grpc_put_retry_info(out, delay_ns);
    if (r == 0)
        r = ftri_wire_end(out, value);
    return r < 0 ? r : ftri_wire_end(out, any);
}

int grpc_put_retry_status(struct ftri_bytes *out, int32_t code, ftr_str message, uint64_t delay_ns)
{
    int r = ftri_wire_put_varint(out, 1, (uint64_t)code);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, ftri_view_of(message.data, message.len));
    return r < 0 ? r : put_any_retry_info(out, 3, delay_ns);
}
