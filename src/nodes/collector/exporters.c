/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's exporters (opentelemetry-collector, exporter/; -contrib, exporter/fileexporter).
 */
#include "nodes/collector/component.h"

#include "base/time.h"
#include "config/document.h"
#include "nodes/collector/delivery.h"

#include <string.h>

#define HOUR_NS (3600 * FTRI_NS_PER_S)

#define DELIVERY_ROWS(type, member)                                                                \
    {"tls", OPTION_MAP, offsetof(type, member.tls), .sentence = "How the server is spoken to."},   \
        {"headers", OPTION_MAP, offsetof(type, member.headers), .is_secret = true,                 \
         .sentence = "Name: value of fields that are sent with every request."},                   \
        {"compression", OPTION_STR, offsetof(type, member.compression), "gzip",                    \
         .sentence = "Of requests: gzip, zstd, none."},                                            \
        {"retry_on_failure", OPTION_MAP, offsetof(type, member.retry),                             \
         .sentence = "What becomes of batches that were refused retryably."},                      \
    {                                                                                              \
        "sending_queue", OPTION_MAP, offsetof(type, member.queue),                                 \
            .sentence = "Batches that wait to be sent."                                            \
    }

struct grpc_form {
    struct delivery_form delivery;
    union collector_unused unused;
};

#define AT(member) offsetof(struct grpc_form, member)
static const struct option grpc_rows[] = {
    {"endpoint", OPTION_STR, AT(delivery.endpoint), .is_required = true,
     .sentence = "HOST:PORT, http://HOST:PORT (no TLS), https://HOST:PORT or unix:///path."},
    {"timeout", OPTION_DURATION, AT(delivery.timeout_ns), "5s", .min = FTRI_NS_PER_MS,
     .max = HOUR_NS, .sentence = "For one request."},
    DELIVERY_ROWS(struct grpc_form, delivery),
    COLLECTOR_UNUSED("read_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("write_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("wait_for_ready", OPTION_BOOL, AT(unused),
                     "what cannot be sent waits for the next attempt"),
};
#undef AT

static const struct collector_refusal grpc_refusals[] = {
    {"auth", "there are no authenticators; headers may carry a token"},
    {"authority", "it is that of the endpoint"},
    {"balancer_name", "one connection is used, to one of the endpoint's addresses"},
    {"keepalive", "connections are opened anew when they fail"},
    {"middlewares", "there are none here"},
    {"user_agent", "it is fixed"},
    {NULL, NULL},
};
static const struct collector_section grpc_section = {
    "", {grpc_rows, FTRI_COUNT(grpc_rows), sizeof(struct grpc_form)}, grpc_refusals};
static const struct collector_section *const grpc_sections[] = {
    &grpc_section,    &collector_tls,         &collector_retry,
    &collector_queue, &collector_queue_batch, NULL};

static const char *const encodings[] = {"proto", "json", NULL};
static const char *const protocols[] = {"http/protobuf", "http/json"};

struct http_form {
    struct delivery_form delivery;
    const char *endpoints[COLLECTOR_SIGNALS];
    int encoding;
    union collector_unused unused;
};

#define AT(member) offsetof(struct http_form, member)
static const struct option http_rows[] = {
    {"endpoint", OPTION_STR, AT(delivery.endpoint), "",
     .sentence = "Base URL, to which /v1/traces, /v1/metrics or /v1/logs is added."},
    {"traces_endpoint", OPTION_STR, AT(endpoints[COLLECTOR_TRACES]), "",
     .sentence = "Whole URL for traces instead."},
    {"metrics_endpoint", OPTION_STR, AT(endpoints[COLLECTOR_METRICS]), "",
     .sentence = "Whole URL for metrics instead."},
    {"logs_endpoint", OPTION_STR, AT(endpoints[COLLECTOR_LOGS]), "",
     .sentence = "Whole URL for logs instead."},
    {"encoding", OPTION_CHOICE, AT(encoding), "proto", .choices = encodings,
     .sentence = "Of requests."},
    {"timeout", OPTION_DURATION, AT(delivery.timeout_ns), "30s", .min = FTRI_NS_PER_MS,
     .max = HOUR_NS, .sentence = "For one request."},
    DELIVERY_ROWS(struct http_form, delivery),
    COLLECTOR_UNUSED("read_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("write_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("max_idle_conns", OPTION_U64, AT(unused), "num_consumers bounds connections"),
    COLLECTOR_UNUSED("max_idle_conns_per_host", OPTION_U64, AT(unused),
                     "num_consumers bounds connections"),
    COLLECTOR_UNUSED("max_conns_per_host", OPTION_U64, AT(unused),
                     "num_consumers bounds connections"),
    COLLECTOR_UNUSED("idle_conn_timeout", OPTION_DURATION, AT(unused),
                     "a connection that was closed is opened anew"),
};
#undef AT

static const struct collector_refusal http_refusals[] = {
    {"auth", "there are no authenticators; headers may carry a token"},
    {"compression_params", "the level is fixed"},
    {"cookies", "cookies are not kept"},
    {"disable_keep_alives", "connections are kept"},
    {"force_attempt_http2", "HTTP/1.1 is spoken"},
    {"http2_ping_timeout", "HTTP/1.1 is spoken"},
    {"http2_read_idle_timeout", "HTTP/1.1 is spoken"},
    {"middlewares", "there are none here"},
    {"profiles_endpoint", "there are traces, metrics and logs"},
    {"proxy_url", "the environment's HTTPS_PROXY is used"},
    {NULL, NULL},
};
static const struct collector_section http_section = {
    "", {http_rows, FTRI_COUNT(http_rows), sizeof(struct http_form)}, http_refusals};
static const struct collector_section *const http_sections[] = {
    &http_section,    &collector_tls,         &collector_retry,
    &collector_queue, &collector_queue_batch, NULL};

static int append_exporter(struct collector_translation *translation,
                           const struct collector_instance *instance,
                           const struct delivery_form *form, struct config_value *config,
                           struct collector_chain *chain)
{
    const int r = collector_deliver(translation, instance, form, config, chain);
    if (r == 0)
        collector_append(translation, chain, "", "exporter/otlp", config);
    return r;
}

/* There an endpoint without a port is refused, too. */
static bool has_port(const char *endpoint)
{
    const char *scheme = strstr(endpoint, "://");
    const char *colon = strrchr(scheme ? scheme + 3 : endpoint, ':');
    return colon && colon[1] && colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

static int translate_grpc(struct collector_translation *translation,
                          const struct collector_instance *instance, struct collector_chain *chain)
{
    static const char resolver[] = "dns:///";
    struct grpc_form form = {0};
    const int r =
        collector_section_read(translation, &grpc_section, instance, instance->value, &form);
    if (r < 0)
        return r;
    const char *endpoint = form.delivery.endpoint;
    if (strncmp(endpoint, resolver, sizeof resolver - 1) == 0)
        endpoint += sizeof resolver - 1;
    const struct config_value *place = collector_place(instance, instance->value, "endpoint");
    if (strncmp(endpoint, "unix:", 5) != 0 && !has_port(endpoint))
        return collector_refuse(
            translation, instance, place,
            "endpoint: '%.200s' has no port; write HOST:PORT, such as %.200s:4317", endpoint,
            endpoint);
    struct config_value *config = collector_config(translation, instance);
    collector_set_text(translation, config, instance->key, "protocol", "grpc");
    collector_set_text(translation, config, place, "endpoint", endpoint);
    return append_exporter(translation, instance, &form.delivery, config, chain);
}

/* Every signal that comes needs somewhere to go. */
static int set_endpoints(struct collector_translation *translation,
                         const struct collector_instance *instance, const struct http_form *form,
                         struct config_value *config)
{
    const struct config_value *section = instance->value;
    bool has_any = form->delivery.endpoint[0] != '\0';
    if (has_any)
        collector_set_text(translation, config, collector_place(instance, section, "endpoint"),
                           "endpoint", form->delivery.endpoint);
    for (size_t i = 0; i < COLLECTOR_SIGNALS; i++) {
        const char *name = http_rows[1 + i].name;
        if (form->endpoints[i][0])
            collector_set_text(translation, config, collector_place(instance, section, name), name,
                               form->endpoints[i]);
        else if (instance->has_signal[i] && !form->delivery.endpoint[0])
            return collector_refuse(translation, instance, collector_place(instance, section, name),
                                    "'endpoint' or '%s' is required", name);
        has_any = has_any || form->endpoints[i][0];
    }
    return has_any ? 0 : collector_refuse(translation, instance, section, "'endpoint' is required");
}

static int translate_http(struct collector_translation *translation,
                          const struct collector_instance *instance, struct collector_chain *chain)
{
    struct http_form form = {0};
    const struct config_value *section = instance->value;
    int r = collector_section_read(translation, &http_section, instance, section, &form);
    if (r < 0)
        return r;
    struct config_value *config = collector_config(translation, instance);
    collector_set_text(translation, config, collector_place(instance, section, "encoding"),
                       "protocol", protocols[form.encoding]);
    r = set_endpoints(translation, instance, &form, config);
    return r < 0 ? r : append_exporter(translation, instance, &form.delivery, config, chain);
}

const struct collector_component collector_otlp_grpc = {
    .types = {"otlp", "otlp_grpc"},
    .kind = COLLECTOR_EXPORTER,
    .sentence = "exporter/otlp with protocol grpc, behind processor/retry",
    .sections = grpc_sections,
    .translate = translate_grpc,
};

const struct collector_component collector_otlp_http = {
    .types = {"otlphttp", "otlp_http"},
    .kind = COLLECTOR_EXPORTER,
    .sentence = "exporter/otlp with protocol http/protobuf or http/json, behind processor/retry",
    .sections = http_sections,
    .translate = translate_http,
};

static const char *const verbosities[] = {"basic", "normal", "detailed", NULL};

struct debug_form {
    union collector_unused unused;
};

#define AT(member) offsetof(struct debug_form, member)
static const struct option debug_rows[] = {
    {.name = "verbosity",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .choices = verbosities,
     .sentence = "No effect: everything is written."},
    COLLECTOR_UNUSED("sampling_initial", OPTION_U64, AT(unused), "everything is written"),
    COLLECTOR_UNUSED("sampling_thereafter", OPTION_U64, AT(unused), "everything is written"),
    COLLECTOR_UNUSED("use_internal_logger", OPTION_BOOL, AT(unused),
                     "it goes to the standard output"),
};
#undef AT

static const struct collector_refusal debug_refusals[] = {
    {"output_paths", "it goes to the standard output; the exporter 'file' writes files"},
    {"sending_queue", "each batch is written at once"},
    {NULL, NULL},
};
static const struct collector_section debug_section = {
    "", {debug_rows, FTRI_COUNT(debug_rows), sizeof(struct debug_form)}, debug_refusals};
static const struct collector_section *const debug_sections[] = {&debug_section, NULL};

static int translate_debug(struct collector_translation *translation,
                           const struct collector_instance *instance, struct collector_chain *chain)
{
    struct debug_form form = {0};
    const int r =
        collector_section_read(translation, &debug_section, instance, instance->value, &form);
    if (r == 0)
        collector_append(translation, chain, "", "exporter/stdout", NULL);
    return r;
}

const struct collector_component collector_debug = {
    .types = {"debug"},
    .kind = COLLECTOR_EXPORTER,
    .sentence = "exporter/stdout: JSON lines",
    .sections = debug_sections,
    .has_records = true,
    .translate = translate_debug,
};

static const char *const formats[] = {"json", NULL};

struct file_form {
    const char *path;
    bool is_appending;
    union collector_unused unused;
};

#define AT(member) offsetof(struct file_form, member)
static const struct option file_rows[] = {
    {"path", OPTION_STR, AT(path), .is_required = true, .sentence = "The file."},
    {"append", OPTION_BOOL, AT(is_appending), "false",
     .sentence = "Whether what the file has stays."},
    {.name = "format",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .fallback = "json",
     .choices = formats,
     .sentence = "OTLP's JSON, a request a line."},
    COLLECTOR_UNUSED("flush_interval", OPTION_DURATION, AT(unused),
                     "each batch is written at once"),
};
#undef AT

static const struct collector_refusal file_refusals[] = {
    {"compression", "files are written as they are"},
    {"create_directory", "the directory has to be there"},
    {"encoding", "OTLP's JSON is written"},
    {"group_by", "there is one file"},
    {"rotation", "leave rotation to a program such as logrotate (copytruncate)"},
    {NULL, NULL},
};
static const struct collector_section file_section = {
    "", {file_rows, FTRI_COUNT(file_rows), sizeof(struct file_form)}, file_refusals};
static const struct collector_section *const file_sections[] = {&file_section, NULL};

static int translate_file(struct collector_translation *translation,
                          const struct collector_instance *instance, struct collector_chain *chain)
{
    struct file_form form = {0};
    const struct config_value *section = instance->value;
    const int r = collector_section_read(translation, &file_section, instance, section, &form);
    if (r < 0)
        return r;
    struct config_value *config = collector_config(translation, instance);
    collector_set_text(translation, config, collector_place(instance, section, "path"), "path",
                       form.path);
    collector_set_text(translation, config, collector_place(instance, section, "append"),
                       "truncate", form.is_appending ? "false" : "true");
    collector_append(translation, chain, "", "exporter/file", config);
    return 0;
}

const struct collector_component collector_file = {
    .types = {"file"},
    .kind = COLLECTOR_EXPORTER,
    .sentence = "exporter/file",
    .sections = file_sections,
    .has_records = true,
    .translate = translate_file,
};

static const struct collector_section no_options = {.path = ""};
static const struct collector_section *const nop_sections[] = {&no_options, NULL};

static int translate_nop(struct collector_translation *translation,
                         const struct collector_instance *instance, struct collector_chain *chain)
{
    const int r = collector_section_read(translation, &no_options, instance, instance->value, NULL);
    if (r == 0)
        collector_append(translation, chain, "", "exporter/noop", NULL);
    return r;
}

const struct collector_component collector_nop = {
    .types = {"nop"},
    .kind = COLLECTOR_EXPORTER,
    .sentence = "exporter/noop",
    .sections = nop_sections,
    .has_records = true,
    .translate = translate_nop,
};
