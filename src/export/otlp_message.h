/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's body as its protocol wants it: protobuf or JSON, compressed or not; for gRPC with a
 * prefix before it, drawn in otlp_grpc.c. A TracesData has the same bytes as an
 * ExportTraceServiceRequest: both are field 1, repeated ResourceSpans; so it is with metrics. */
#pragma once

#include "export/grpc_client.h"

struct ftri_otlp_settings;

enum { FTRI_OTLP_REQUEST_BYTES = 64 << 20 }; /* more must not be sent */

/* Two pieces of one body. */
struct ftri_otlp_body {
    struct ftri_view head; /* of gRPC the prefix, else nothing */
    struct ftri_view rest;
};

struct ftri_otlp_message {
    uint8_t prefix[FTRI_GRPC_PREFIX_BYTES];
    struct ftri_bytes json;
    struct ftri_bytes packed;
    struct ftri_zstd *zstd; /* NULL until it is needed */
};

void ftri_otlp_message_init(struct ftri_otlp_message *self);
void ftri_otlp_message_deinit(struct ftri_otlp_message *self);
/* The body points into otlp or into self, until the next call. -EMSGSIZE: more than 64 MiB before
 * or after compression; -ENOMEM. */
int ftri_otlp_message_write(struct ftri_otlp_message *self,
                            const struct ftri_otlp_settings *settings, struct ftri_view otlp,
                            struct ftri_otlp_body *ret_body) FTRI_MUST_CHECK;
