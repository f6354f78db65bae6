/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods that every gRPC server has.
 *
 *   grpc.health.v1      HealthCheckRequest: service 1       HealthCheckResponse: status 1 (1
 * SERVING) grpc.reflection.v1  ServerReflectionRequest: host 1, list_services 7, others 3 to 6
 *     ServerReflectionResponse: valid_host 1, original_request 2,
 *       list_services_response 6 { service 1 { name 1 } },
 *       error_response 7 { error_code 1, error_message 2 }
 *
 * Reflection names the services; their descriptors are not in the program, and who asks for them
 * gets NOT_FOUND. Watch is UNIMPLEMENTED, which clients take as "do not ask". */
#include "net/grpc_connection.h"

#include "codec/wire.h"

#include <errno.h>
#include <string.h>

enum { SERVING = 1, REQUEST_MOST = 4096, LIST_SERVICES = 7 };

static const char health_service[] = "grpc.health.v1.Health";
static const char health_check[] = "/grpc.health.v1.Health/Check";
static const char *const reflection[] = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
};
static const char *const own_services[] = {health_service, "grpc.reflection.v1.ServerReflection",
                                           "grpc.reflection.v1alpha.ServerReflection", NULL};

static bool is_text(ftr_str text, const char *wanted)
{
    return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

bool grpc_builtin_begin(struct grpc_call *self)
{
    const ftr_str path = grpc_call_path(self);
    for (size_t i = 0; i < FTRI_COUNT(reflection) && !self->is_stream; i++)
        self->is_stream = is_text(path, reflection[i]);
    self->is_builtin = self->is_stream || is_text(path, health_check);
    return self->is_builtin;
}

static bool is_service(const struct grpc_call *self, ftr_str name)
{
    const char *const *services = self->connection->server->services;
    for (; services && *services; services++)
        if (is_text(name, *services))
            return true;
    return name.len == 0 || is_text(name, health_service);
}

static void check_health(struct grpc_call *self)
{
    static const uint8_t serving[] = {1 << 3, SERVING};
    const struct ftri_view message = grpc_call_message(self);
    struct ftri_wire_field field;
    ftr_str name = {0};
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD)
        if (field.number == 1 && field.type == FTRI_WIRE_BYTES)
            name = ftri_view_str(field.bytes);
    if (r < 0)
        grpc_call_refuse(self, GRPC_INVALID_ARGUMENT, "not a HealthCheckRequest");
    else if (!is_service(self, name))
        grpc_call_refuse(self, GRPC_NOT_FOUND, "no such service here");
    else
        grpc_call_finish(self, ftri_view_of(serving, sizeof serving));
}

static int put_service(struct ftri_bytes *out, const char *name)
{
    size_t mark;
    int r = ftri_wire_begin(out, 1, &mark);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 1, ftri_view_of(name, strlen(name)));
    return r < 0 ? r : ftri_wire_end(out, mark);
}

static int put_services(struct ftri_bytes *out, const char *const *services)
{
    int r = 0;
    for (; services && *services && r == 0; services++)
        r = put_service(out, *services);
    return r;
}

static int put_list(struct ftri_bytes *out, const char *const *services)
{
    size_t mark;
    int r = ftri_wire_begin(out, 6, &mark);
    if (r == 0)
        r = put_services(out, services);
    if (r == 0)
        r = put_services(out, own_services);
    return r < 0 ? r : ftri_wire_end(out, mark);
}

static int put_error(struct ftri_bytes *out)
{
    static const char text[] = "descriptors are not served; the services are OTLP's own";
    size_t mark;
    int r = ftri_wire_begin(out, 7, &mark);
    if (r == 0)
        r = ftri_wire_put_varint(out, 1, GRPC_NOT_FOUND);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, ftri_view_of(text, sizeof text - 1));
    return r < 0 ? r : ftri_wire_end(out, mark);
}

/* 0, -EBADMSG, or no memory. */
static int reflect(const struct grpc_call *self, struct ftri_bytes *out)
{
    const struct ftri_view request = grpc_call_message(self);
    struct ftri_wire_field field;
    struct ftri_view host = {0};
    bool is_list = false;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(request, &next, &field)) == FTRI_WIRE_FIELD) {
        if (field.number == 1 && field.type == FTRI_WIRE_BYTES)
            host = field.bytes;
        is_list = is_list || field.number == LIST_SERVICES;
    }
    if (r == 0 && host.len)
        r = ftri_wire_put_bytes(out, 1, host);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, request);
    if (r < 0)
        return r;
    return is_list ? put_list(out, self->connection->server->services) : put_error(out);
}

static void answer_reflection(struct grpc_call *self)
{
    struct ftri_bytes out;
    ftri_bytes_init(&out, 4 * REQUEST_MOST);
    const bool is_long = grpc_call_message(self).len > REQUEST_MOST;
    const int r = is_long ? -EBADMSG : reflect(self, &out);
    if (r < 0)
        grpc_call_refuse(self, r == -EBADMSG ? GRPC_INVALID_ARGUMENT : GRPC_RESOURCE_EXHAUSTED,
                         "not a ServerReflectionRequest");
    else
        grpc_call_send(self, ftri_bytes_view(&out));
    ftri_bytes_deinit(&out);
}

void grpc_builtin_message(struct grpc_call *self)
{
    if (self->is_stream)
        answer_reflection(self);
    else
        check_health(self);
}
