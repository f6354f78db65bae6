/* SPDX-License-Identifier: Apache-2.0
 *
 * User tracing: a second pipeline, for the people whose traffic runs through the program. Their
 * spans go to destinations of their own, never to the operator's, and the operator's never to them.
 *
 *     const ftr_json_routing customer = {.size = sizeof customer, .zone_id = 7, .account_id = 42};
 *     const ftr_routing routing = ftr_json_routing_of(&customer);
 *     const ftr_span root = ftr_user_trace_start(FTR_STR("GET /"), &routing, NULL);
 *     ftr_context context = ftr_span_context_of(root);
 *     FTR_ATTACHED(here, &context);
 *     const ftr_span child = ftr_user_span_start(FTR_STR("lookup"), FTR_KIND_INTERNAL, NULL);
 *
 * Activation is the sampling decision: somebody upstream took it, ftr_user_trace_start carries it
 * out, every user span below is recorded. Without such a root every call here is a no-op of about
 * a nanosecond. The mode and the samplers of the system pipeline do not matter here, nor do its
 * inherited fields and baggage show.
 *
 * The current user span is the member `user` of a context and goes where contexts go: to other
 * threads, into tasks and callbacks, also with a context that ftr_span_context_of took from a
 * system span. What span.h says of an open span (attributes, events, links, status, end) holds for
 * user spans too, by the same functions. */
#ifndef FLOWTRACE_USER_H
#define FLOWTRACE_USER_H

#include <flowtrace/context.h>
#include <flowtrace/span.h>
#include <flowtrace/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ftr_exporter ftr_exporter;     /* <flowtrace/exporter.h> */
typedef struct ftr_statistics ftr_statistics; /* <flowtrace/tracing.h> */

/* ---- whose trace it is ---- */

enum { FTR_ROUTING_KEY_MAX = 4096, FTR_ROUTING_VALUE_MAX = 4096 };

/* Where a user's spans go, as an interface: spans of one group key go in one request, which has the
 * encoded text as a header. Both functions write at most `room` bytes and return how many there
 * are; more than `room` (a key: FTR_ROUTING_KEY_MAX, a text: FTR_ROUTING_VALUE_MAX) is refused, and
 * so is a text that is empty or has bytes that no header field takes: all but the visible ASCII
 * characters, space and tab. Routings of one key that are encoded differently are two. */
typedef struct ftr_routing_class {
    size_t size;
    size_t (*group_key)(const void *instance, char *ret_text, size_t room);
    size_t (*encode)(const void *instance, char *ret_text, size_t room);
} ftr_routing_class;

/* Borrowed for the call. */
typedef struct ftr_routing {
    const ftr_routing_class *routing_class;
    const void *instance;
} ftr_routing;

/* The ready form, a JSON object. By ftr_config.conventions "flowtrace": zoneId, accountId,
 * workspaceId, destinations, managed; "foundations-5.8": zoneId, accountId, accountTag,
 * destinations, persist. */
typedef struct ftr_json_routing {
    size_t size; /* sizeof(ftr_json_routing) */
    uint64_t zone_id;
    uint64_t account_id;
    ftr_str workspace_id;
    ftr_str account_tag;
    const ftr_str *destinations;
    size_t n_destinations;
    bool is_managed;
    bool is_persisted; /* `persist` */
} ftr_json_routing;

/* Both borrow their argument. */
FTR_API ftr_routing ftr_json_routing_of(const ftr_json_routing *routing);
/* A text that is passed on as it is, and is its own key. */
FTR_API ftr_routing ftr_text_routing_of(const ftr_str *text);

/* ---- spans ---- */

/* The root of a user trace, of kind FTR_KIND_SERVER; current for nobody until a context of it is
 * attached. All user spans below it, in this process, have its routing. `inbound` (may be NULL) is
 * what ftr_user_traceparent_parse read: the root then goes on with its trace, as a child of the
 * span that it names, whatever its sampled flag says. Does not record, and is counted, when the
 * routing is refused (see above) or 65536 others are in use, of which each has been used in the
 * last 10 minutes; and when user tracing is off. Takes a lock for a moment. */
FTR_API ftr_span ftr_user_trace_start(ftr_str name, const ftr_routing *routing,
                                      const ftr_span_context *inbound);

/* A control header, by which a request asks for user tracing: a traceparent or "-", a semicolon,
 * and the routing's text as it is to be passed on:
 *
 *     00-11223344556677889900aabbccddeeff-a1b2c3d4e5f60718-01; {"zoneId":7,"accountId":42}
 *
 * Texts are borrowed from the header. */
typedef struct ftr_user_control {
    bool has_inbound;
    ftr_span_context inbound;
    ftr_str routing;
} ftr_user_control;

/* False (nothing written): it is not of that form. Whoever takes the header from the outside has to
 * trust who sent it: it says where spans go. */
FTR_API bool ftr_user_control_parse(ftr_str header, ftr_user_control *ret_control);
/* The root that a control header asks for; one that is empty or not of that form asks for none. */
FTR_API ftr_span ftr_user_trace_activate(ftr_str name, ftr_str header);

/* What the inline functions below call when there is something to do. */
FTR_API ftr_span ftr_recording_user_start(ftr_str name, ftr_span_kind kind,
                                          const ftr_context *parent);
FTR_API ftr_span ftr_recording_user_start_site(ftr_call_site *site, const ftr_context *parent);

/* Whether there is a user span in `parent` (NULL: the thread's current context). */
FTR_INLINE bool ftr_user_is_active(const ftr_context *parent)
{
    uint64_t id;
    __builtin_memcpy(&id, &(parent ? parent : ftr_context_here)->user.span_id, sizeof id);
    return id != 0;
}

/* The twins of ftr_span_start and ftr_span_start_site: below the user span of `parent` (NULL: the
 * thread's current context). None there: a no-op, never a root. */
FTR_INLINE ftr_span ftr_user_span_start(ftr_str name, ftr_span_kind kind, const ftr_context *parent)
{
    const ftr_span none = {0, 0};
    return ftr_user_is_active(parent) ? ftr_recording_user_start(name, kind, parent) : none;
}

FTR_INLINE ftr_span ftr_user_span_start_site(ftr_call_site *site, const ftr_context *parent)
{
    const ftr_span none = {0, 0};
    return ftr_user_is_active(parent) ? ftr_recording_user_start_site(site, parent) : none;
}

/* A span in each pipeline. */
typedef struct ftr_dual_span {
    ftr_span system;
    ftr_span user;
} ftr_dual_span;

/* Starts both, each below its own parent in `parent`: the system span also when there is no user
 * root, the user span also when the system's trace is not sampled or its mode is off. */
FTR_API ftr_dual_span ftr_dual_span_start(ftr_str name, ftr_span_kind kind,
                                          const ftr_context *parent);
FTR_API void ftr_dual_span_end(ftr_dual_span span);
/* Both as parents for others. Release it. */
FTR_API ftr_context ftr_dual_span_context_of(ftr_dual_span span);

/* The twin of ftr_context_set_finish_callback: of all user spans below the context. */
FTR_API bool ftr_context_set_user_finish_callback(ftr_context *context,
                                                  ftr_finish_callback callback, void *state);

/* ---- the header ---- */

/* The calling thread's current user span, for whoever builds headers by hand: sampled, with the
 * other flags that came in. False, and empty text, when there is none. */
FTR_API bool ftr_user_traceparent(char ret_text[FTR_TRACEPARENT_LEN + 1]);

/* ---- setting up ---- */

/* The user pipeline, for ftr_config.user: start from FTR_USER_CONFIG_INIT. There is no sampling to
 * set. Spans go as OTLP over HTTP/1.1 to a Unix socket, one request for each routing in a batch;
 * gRPC and TCP are not offered. */
typedef struct ftr_user_config {
    size_t size; /* sizeof(ftr_user_config) */
    bool is_enabled;
    ftr_str socket_path;    /* of the OTLP endpoint; required */
    ftr_str routing_header; /* its name; required, and none of the protocol's own */
    uint32_t queue_spans;   /* at most so many wait; 0: no limit */
    size_t queue_bytes;     /* and so many bytes; 0: 256 MiB */
    uint32_t batch_spans;   /* of all routings; 0: 512 */
    uint32_t tasks;         /* so many requests at the same time, 1 to 8; those of one routing are
                               one after the other; 0: 1 */
    uint32_t timeout_ms;    /* for one request with all its tries; 0: 10000 */
    /* Builds the exporter: pass ftr_otlp_user_exporter_new of <flowtrace/otlp.h> (library
     * flowtrace-export). Called once for each task. */
    ftr_exporter *(*otlp_exporter)(const struct ftr_user_config *config, ftr_error *error);
    /* In place of all that, for tests: owned by the library once ftr_init succeeded. Its batches
     * are of one routing each. */
    ftr_exporter *exporter;
} ftr_user_config;

#ifdef __cplusplus
inline ftr_user_config ftr_user_config_initial()
{
    ftr_user_config config = ftr_user_config();
    config.size = sizeof(ftr_user_config);
    config.routing_header = FTR_STR("cf-trace-config");
    config.queue_spans = 1000000;
    return config;
}
#define FTR_USER_CONFIG_INIT (ftr_user_config_initial())
#else
#define FTR_USER_CONFIG_INIT                                                                       \
    ((ftr_user_config){.size = sizeof(ftr_user_config),                                            \
                       .routing_header = FTR_STR("cf-trace-config"),                               \
                       .queue_spans = 1000000})
#endif

/* The user pipeline's own accounts, as ftr_get_statistics gives the system's. One exporter a task;
 * for all of them together, recorded = delivered + rejected + lost_queue_full + lost_export +
 * queued + lost_no_routing. All 0 when it is off. */
FTR_API void ftr_get_user_statistics(ftr_statistics *ret_statistics);

#ifdef __cplusplus
}
#endif

#endif
