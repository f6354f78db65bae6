/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread, one loop, one table of routes. A page of another site must not reach this port
 * through a visitor's browser (DNS rebinding): while bound to loopback, only loopback names are
 * served. */
#include "api/server.h"

#include "api/jaeger_legacy.h"
#include "api/lineage.h"
#include "api/loss.h"
#include "api/metrics_page.h"
#include "api/reply.h"
#include "api/traces.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/http_server.h"
#include "net/http_target.h"
#include "net/listener.h"
#include "net/loop.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { QUERY_BYTES = 64 * 1024 };

struct api {
    struct store *store;
    struct loop *loop;
    struct loop_wakeup *stop;
    struct http_server *server;
    pthread_t thread;
    bool is_loopback;
};

struct route {
    const char *path;
    bool is_prefix; /* the rest of the path is the argument */
    void (*handle)(struct store *store, struct http_exchange *exchange, ftr_str argument);
};

static void handle_health(struct store *store, struct http_exchange *exchange, ftr_str argument)
{
    (void)store;
    (void)argument;
    reply_json(exchange, 200, ftri_view_of("{\"status\":\"ok\"}\n", 16));
}

/* The first that matches. */
static const struct route routes[] = {
    {"/api/v3/traces/", true, traces_get},
    {"/api/v3/traces", false, traces_search},
    {"/api/v3/trace-summaries", false, traces_summaries},
    {"/api/v3/services", false, traces_services},
    {"/api/v3/operations", false, traces_operations},
    {"/api/traces/", true, jaeger_trace},
    {"/api/traces", false, jaeger_search},
    {"/api/services/", true, jaeger_service_operations},
    {"/api/services", false, jaeger_services},
    {"/api/operations", false, jaeger_operations},
    {"/api/dependencies", false, jaeger_dependencies},
    {"/api/metrics/", true, jaeger_metrics},
    {"/api/flow/v1/lineage/", true, lineage_get},
    {"/api/flow/v1/loss", false, loss_get},
    /* Those without a store come last. */
    {"/healthz", false, handle_health},
    {"/readyz", false, handle_health},
    {"/metrics", false, metrics_page},
};

enum { ROUTES_WITHOUT_STORE = 3 };

/* True when path belongs to the route; *ret_argument is what follows a prefix. */
static bool matches(const struct route *route, ftr_str path, ftr_str *ret_argument)
{
    const size_t len = strlen(route->path);
    if (path.len < len || memcmp(path.data, route->path, len) != 0)
        return false;
    *ret_argument = (ftr_str){path.data + len, path.len - len};
    return route->is_prefix ? path.len > len : path.len == len;
}

/* The name in an authority without its port. */
static ftr_str host_name(ftr_str host)
{
    if (host.len && host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.len);
        return end ? (ftr_str){host.data, (size_t)(end + 1 - host.data)} : host;
    }
    const char *colon = host.len ? memchr(host.data, ':', host.len) : NULL;
    return colon ? (ftr_str){host.data, (size_t)(colon - host.data)} : host;
}

static bool is_loopback_name(ftr_str name)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < FTRI_COUNT(names); i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.data, names[i], name.len) == 0)
            return true;
    return false;
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    const struct api *self = argument;
    const ftr_str method = http_exchange_method(exchange);
    const ftr_str host = http_exchange_authority(exchange);
    if (self->is_loopback && !is_loopback_name(host_name(host))) {
        reply_error(exchange, 403,
                    "this port serves localhost only; the request names another host");
        return;
    }
    if ((method.len == 3 && memcmp(method.data, "GET", 3) == 0) ||
        (method.len == 4 && memcmp(method.data, "HEAD", 4) == 0))
        return; /* a body, if any, is read and ignored */
    http_exchange_set_header(exchange, "Allow", "GET, HEAD");
    reply_error(exchange, 405, "only GET is accepted here");
}

/* A parameter that cannot be decoded would count as absent, and more be answered than was asked. */
static int check_query(const struct http_exchange *exchange)
{
    struct ftri_bytes decoded;
    ftri_bytes_init(&decoded, QUERY_BYTES);
    const int r = http_target_decode(http_exchange_query(exchange), &decoded);
    ftri_bytes_deinit(&decoded);
    return r;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    const struct api *self = argument;
    const int r = check_query(exchange);
    if (r == -ENOMEM)
        http_exchange_fail(exchange);
    if (r < 0) {
        reply_error(exchange, 400, "malformed escape in the query");
        return;
    }
    const ftr_str path = http_exchange_path(exchange);
    const size_t first = self->store ? 0 : FTRI_COUNT(routes) - ROUTES_WITHOUT_STORE;
    for (size_t i = first; i < FTRI_COUNT(routes); i++) {
        ftr_str rest;
        if (matches(&routes[i], path, &rest)) {
            routes[i].handle(self->store, exchange, rest);
            return;
        }
    }
    reply_error(exchange, 404,
                self->store ? "nothing here; try /api/v3/services or /api/v3/traces/{id}"
                            : "nothing here but /metrics, /healthz and /readyz");
}

static void on_refusal(void *argument, struct http_exchange *exchange, int status,
                       const char *reason)
{
    (void)argument;
    reply_error(exchange, status, "%s", reason);
}

static void on_stop(void *argument)
{
    const struct api *self = argument;
    loop_stop(self->loop);
}

static void *run(void *argument)
{
    const struct api *self = argument;
    loop_run(self->loop);
    return NULL;
}

static int open_server(struct api *self, const struct api_options *options,
                       struct ftri_error *error)
{
    self->loop = loop_new(error);
    if (!self->loop)
        return -ENOMEM;
    self->stop = loop_wakeup_new(self->loop, on_stop, self);
    if (!self->stop)
        return ftri_error_errno(error, -ENOMEM, "the API's loop");
    struct http_server_options server = {
        .address = options->address,
        .handler = {on_request, on_body, on_refusal, self},
    };
    http_limits_default(&server.limits);
    server.limits.body_bytes = 64 * 1024;
    return http_server_open(self->loop, &server, &self->server, error);
}

static void api_free(struct api *self)
{
    http_server_close(self->server);
    loop_wakeup_free(self->stop);
    loop_free(self->loop);
    ftri_free(self);
}

int api_start(const struct api_options *options, struct api **ret_api, struct ftri_error *error)
{
    struct api *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_errno(error, -ENOMEM, "starting the HTTP API");
    self->store = options->store;
    struct listener_address address;
    int r = listener_parse(options->address, &address, error);
    self->is_loopback = r == 0 && listener_is_local(&address);
    if (r == 0)
        r = open_server(self, options, error);
    if (r == 0) {
        r = ftri_thread_start(run, self, &self->thread);
        if (r < 0)
            ftri_error_errno(error, r, "starting the HTTP API's thread");
    }
    if (r < 0) {
        api_free(self);
        return r;
    }
    *ret_api = self;
    return 0;
}

const char *api_address(const struct api *self)
{
    return http_server_address(self->server);
}

void api_stop(struct api *self)
{
    if (!self)
        return;
    loop_wake(self->stop);
    pthread_join(self->thread, NULL);
    api_free(self);
}
