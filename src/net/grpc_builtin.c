/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods that every gRPC server has: health (grpc.health.v1) and reflection.
 *
 *   HealthCheckRequest: service 1       HealthCheckResponse: status 1
 *
 * A Watch gets one status at once and stays open; the next one comes when the server drains. */
#include "net/grpc_connection.h"

#include "codec/wire.h"

#include <errno.h>
#include <string.h>

enum health { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };
enum { REQUEST_MOST = 4096, ANSWER_MOST = 256 * 1024 };

static const struct {
    const char *path;
    enum grpc_method method;
} methods[] = {
    {"/grpc.health.v1.Health/Check", GRPC_HEALTH_CHECK},
    {"/grpc.health.v1.Health/Watch", GRPC_HEALTH_WATCH},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", GRPC_REFLECTION},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", GRPC_REFLECTION},
};

enum grpc_method grpc_builtin_find(ftr_str path)
{
    for (size_t i = 0; i < FTRI_COUNT(methods); i++)
        if (path.len == strlen(methods[i].path) &&
            memcmp(path.data, methods[i].path, path.len) == 0)
            return methods[i].method;
    return GRPC_OF_HANDLER;
}

/* 0 or -EBADMSG; no name is the server as a whole. */
static int read_service(struct ftri_view request, ftr_str *ret_name)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(request, &next, &field)) == FTRI_WIRE_FIELD)
        if (field.number == 1 && field.type == FTRI_WIRE_BYTES)
            *ret_name = ftri_view_str(field.bytes);
    return r;
}

static void answer_health(struct grpc_call *self)
{
    const struct grpc_server *server = self->connection->server;
    const bool is_watch = self->method == GRPC_HEALTH_WATCH;
    ftr_str name = {0};
    if (read_service(grpc_call_message(self), &name) < 0) {
        grpc_call_refuse(self, GRPC_INVALID_ARGUMENT, "not a HealthCheckRequest");
        return;
    }
    const bool is_known = name.len == 0 || grpc_reflection_has_service(server, name);
    const uint8_t message[] = {1 << 3, is_known ? SERVING : SERVICE_UNKNOWN};
    if (is_watch)
        grpc_call_send(self, ftri_view_of(message, sizeof message));
    else if (is_known)
        grpc_call_finish(self, ftri_view_of(message, sizeof message));
    else
        grpc_call_refuse(self, GRPC_NOT_FOUND, "no such service here");
}

static void answer_reflection(struct grpc_call *self)
{
    const struct ftri_view request = grpc_call_message(self);
    struct ftri_bytes out;
    ftri_bytes_init(&out, ANSWER_MOST);
    const int r = request.len > REQUEST_MOST
                      ? -EBADMSG
                      : grpc_reflection_answer(self->connection->server, request, &out);
    if (r < 0)
        grpc_call_refuse(self, r == -EBADMSG ? GRPC_INVALID_ARGUMENT : GRPC_RESOURCE_EXHAUSTED,
                         "not a ServerReflectionRequest");
    else
        grpc_call_send(self, ftri_bytes_view(&out));
    ftri_bytes_deinit(&out);
}

void grpc_builtin_message(struct grpc_call *self)
{
    if (self->method == GRPC_REFLECTION)
        answer_reflection(self);
    else
        answer_health(self);
}

void grpc_builtin_drain(struct grpc_call *self)
{
    static const uint8_t message[] = {1 << 3, NOT_SERVING};
    if (self->method != GRPC_HEALTH_WATCH || self->is_finished)
        return;
    if (self->peer_ended)
        grpc_call_send(self, ftri_view_of(message, sizeof message));
    if (!self->is_finished)
        grpc_call_close(self, GRPC_UNAVAILABLE, FTR_STR("the server is going"));
}
