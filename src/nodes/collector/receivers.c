/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's receivers: otlp (opentelemetry-collector, receiver/otlpreceiver) and, as far as
 * receiver/file goes, filelog (opentelemetry-collector-contrib, receiver/filelogreceiver). */
#include "nodes/collector/component.h"

#include "base/time.h"
#include "config/document.h"

#include <string.h>

static const char *const transports[] = {"tcp", "unix", NULL};
enum { TRANSPORT_TCP, TRANSPORT_UNIX };

#define SECONDS_MAX (3600 * FTRI_NS_PER_S)
#define MIB (UINT64_C(1) << 20)

struct otlp_form {
    const struct config_value *protocols;
};

static const struct option otlp_rows[] = {
    {"protocols", OPTION_MAP, offsetof(struct otlp_form, protocols), .is_required = true,
     .sentence = "grpc, http: those that are there are served."},
};

struct protocols_form {
    const struct config_value *grpc, *http;
};

static const struct option protocols_rows[] = {
    {"grpc", OPTION_MAP, offsetof(struct protocols_form, grpc), .sentence = "OTLP over gRPC."},
    {"http", OPTION_MAP, offsetof(struct protocols_form, http),
     .sentence = "OTLP over HTTP, as protobuf and as JSON."},
};

struct grpc_form {
    const char *endpoint;
    int transport;
    uint64_t max_recv_msg_size_mib;
    uint64_t max_concurrent_streams;
    union collector_unused unused;
};

#define AT(member) offsetof(struct grpc_form, member)
static const struct option grpc_rows[] = {
    {"endpoint", OPTION_STR, AT(endpoint), "localhost:4317",
     .sentence = "HOST:PORT; without HOST all addresses of this machine; a path with transport "
                 "unix."},
    {"transport", OPTION_CHOICE, AT(transport), "tcp", .choices = transports,
     .sentence = "What the endpoint is."},
    {"max_recv_msg_size_mib", OPTION_U64, AT(max_recv_msg_size_mib), "4", .max = 1024,
     .sentence = "Largest request; 0: 4."},
    {"max_concurrent_streams", OPTION_U64, AT(max_concurrent_streams), "0", .max = 10000,
     .sentence = "Calls at once on a connection; 0: 100 (there: without limit)."},
    COLLECTOR_UNUSED("read_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("write_buffer_size", OPTION_U64, AT(unused), "buffers size themselves"),
    COLLECTOR_UNUSED("include_metadata", OPTION_BOOL, AT(unused),
                     "what would use metadata is refused"),
};
#undef AT

struct http_form {
    const char *endpoint;
    int transport;
    uint64_t max_request_body_size;
    uint64_t read_header_timeout_ns, write_timeout_ns, idle_timeout_ns;
    const char *url_paths[COLLECTOR_SIGNALS];
    union collector_unused unused;
};

#define AT(member) offsetof(struct http_form, member)
static const struct option http_rows[] = {
    {"endpoint", OPTION_STR, AT(endpoint), "localhost:4318", .sentence = "As that of grpc."},
    {"transport", OPTION_CHOICE, AT(transport), "tcp", .choices = transports,
     .sentence = "What the endpoint is."},
    {"max_request_body_size", OPTION_U64, AT(max_request_body_size), "20971520",
     .max = UINT64_C(1) << 30, .sentence = "Largest request in bytes; 0: 20 MiB."},
    {"read_header_timeout", OPTION_DURATION, AT(read_header_timeout_ns), "1m",
     .min = FTRI_NS_PER_MS, .max = SECONDS_MAX, .sentence = "For the head of a request."},
    {"write_timeout", OPTION_DURATION, AT(write_timeout_ns), "30s", .min = FTRI_NS_PER_MS,
     .max = SECONDS_MAX,
     .sentence = "For the next bytes of an answer that is read, or of a request."},
    {"idle_timeout", OPTION_DURATION, AT(idle_timeout_ns), "1m", .min = FTRI_NS_PER_MS,
     .max = 24 * SECONDS_MAX, .sentence = "For a connection without a request."},
    {"traces_url_path", OPTION_STR, AT(url_paths[COLLECTOR_TRACES]), "/v1/traces",
     .sentence = "Only this path."},
    {"metrics_url_path", OPTION_STR, AT(url_paths[COLLECTOR_METRICS]), "/v1/metrics",
     .sentence = "Only this path."},
    {"logs_url_path", OPTION_STR, AT(url_paths[COLLECTOR_LOGS]), "/v1/logs",
     .sentence = "Only this path."},
    COLLECTOR_UNUSED("include_metadata", OPTION_BOOL, AT(unused),
                     "what would use metadata is refused"),
};
#undef AT

static const struct collector_refusal grpc_refusals[] = {
    {"tls", "receiver/otlp speaks no TLS; put a proxy that does in front of it"},
    {"auth", "receiver/otlp has no authentication"},
    {"keepalive", "connections end after their idle time, and pings are limited, without options"},
    {"middlewares", "there are none here"},
    {NULL, NULL},
};
static const struct collector_refusal http_refusals[] = {
    {"tls", "receiver/otlp speaks no TLS; put a proxy that does in front of it"},
    {"auth", "receiver/otlp has no authentication"},
    {"cors", "receiver/otlp does not answer browsers"},
    {"response_headers", "answers have no further fields"},
    {"compression_algorithms",
     "identity, gzip, deflate and zstd are always accepted, others never"},
    {"read_timeout", "write_timeout bounds each pause of a request"},
    {"keep_alives_enabled", "connections are kept for idle_timeout"},
    {"middlewares", "there are none here"},
    {NULL, NULL},
};

static const struct collector_section otlp_section = {
    "", {otlp_rows, FTRI_COUNT(otlp_rows), sizeof(struct otlp_form)}, NULL};
static const struct collector_section protocols_section = {
    "protocols", {protocols_rows, FTRI_COUNT(protocols_rows), sizeof(struct protocols_form)}, NULL};
static const struct collector_section grpc_section = {
    "protocols::grpc", {grpc_rows, FTRI_COUNT(grpc_rows), sizeof(struct grpc_form)}, grpc_refusals};
static const struct collector_section http_section = {
    "protocols::http", {http_rows, FTRI_COUNT(http_rows), sizeof(struct http_form)}, http_refusals};
static const struct collector_section *const otlp_sections[] = {&otlp_section, &protocols_section,
                                                                &grpc_section, &http_section, NULL};

/* Their ":4317" is every address, and a Unix socket's path stands alone. */
static const char *address_of(struct collector_translation *translation, const char *endpoint,
                              int transport)
{
    const char *before = transport == TRANSPORT_UNIX ? "unix:"
                         : endpoint[0] == ':'        ? "0.0.0.0"
                                                     : "";
    return collector_text(translation, "%s%s", before, endpoint);
}

static int read_grpc(struct collector_translation *translation,
                     const struct collector_instance *instance, const struct config_value *section,
                     struct config_value *config)
{
    struct grpc_form form = {0};
    if (!section) {
        collector_set_text(translation, config, instance->key, "grpc", "off");
        return 0;
    }
    const int r = collector_section_read(translation, &grpc_section, instance, section, &form);
    if (r < 0)
        return r;
    const uint64_t mib = form.max_recv_msg_size_mib ? form.max_recv_msg_size_mib : 4;
    const uint64_t streams = form.max_concurrent_streams ? form.max_concurrent_streams : 100;
    collector_set_text(translation, config, collector_place(instance, section, "endpoint"), "grpc",
                       address_of(translation, form.endpoint, form.transport));
    collector_set_number(translation, config,
                         collector_place(instance, section, "max_recv_msg_size_mib"), "max_message",
                         mib, "MiB");
    collector_set_number(translation, config,
                         collector_place(instance, section, "max_concurrent_streams"),
                         "max_streams", streams, "");
    return 0;
}

static int check_url_paths(struct collector_translation *translation,
                           const struct collector_instance *instance,
                           const struct config_value *section, const struct http_form *form)
{
    for (size_t i = 0; i < COLLECTOR_SIGNALS; i++) {
        const char *name = collector_text(translation, "%s_url_path", collector_signal_names[i]);
        const char *path = collector_text(translation, "/v1/%s", collector_signal_names[i]);
        if (strcmp(form->url_paths[i], path) != 0)
            return collector_refuse(translation, instance, collector_place(instance, section, name),
                                    "protocols::http: %s: only %s is served", name, path);
    }
    return 0;
}

static int read_http(struct collector_translation *translation,
                     const struct collector_instance *instance, const struct config_value *section,
                     struct config_value *config)
{
    struct http_form form = {0};
    if (!section) {
        collector_set_text(translation, config, instance->key, "http", "off");
        return 0;
    }
    int r = collector_section_read(translation, &http_section, instance, section, &form);
    if (r == 0)
        r = check_url_paths(translation, instance, section, &form);
    if (r < 0)
        return r;
    collector_set_text(translation, config, collector_place(instance, section, "endpoint"), "http",
                       address_of(translation, form.endpoint, form.transport));
    const struct {
        const char *theirs, *ours, *unit;
        uint64_t value;
    } numbers[] = {
        {"max_request_body_size", "max_body", "",
         form.max_request_body_size ? form.max_request_body_size : 20 * MIB},
        {"read_header_timeout", "header_timeout", "ns", form.read_header_timeout_ns},
        {"write_timeout", "body_timeout", "ns", form.write_timeout_ns},
        {"idle_timeout", "idle_timeout", "ns", form.idle_timeout_ns},
    };
    for (size_t i = 0; i < FTRI_COUNT(numbers); i++)
        collector_set_number(translation, config,
                             collector_place(instance, section, numbers[i].theirs), numbers[i].ours,
                             numbers[i].value, numbers[i].unit);
    return 0;
}

static void set_signals(struct collector_translation *translation,
                        const struct collector_instance *instance, struct config_value *config)
{
    struct config_maker *const maker = &translation->maker;
    struct config_value *list = config_make_list(maker, instance->key);
    for (size_t i = 0; i < COLLECTOR_SIGNALS; i++)
        if (instance->has_signal[i])
            config_make_item(
                maker, list,
                config_make_text(maker, instance->key, "%s", collector_signal_names[i]));
    config_make_pair(maker, config, instance->key, "signals", list);
}

static int translate_otlp(struct collector_translation *translation,
                          const struct collector_instance *instance, struct collector_chain *chain)
{
    struct otlp_form form = {0};
    struct protocols_form protocols = {0};
    int r = collector_section_read(translation, &otlp_section, instance, instance->value, &form);
    if (r == 0)
        r = collector_section_read(translation, &protocols_section, instance, form.protocols,
                                   &protocols);
    if (r < 0)
        return r;
    /* A protocol without a value is served, too. */
    const struct config_value *grpc = config_get(form.protocols, "grpc");
    const struct config_value *http = config_get(form.protocols, "http");
    if (!grpc && !http)
        return collector_refuse(translation, instance, form.protocols,
                                "protocols: expected grpc, http, or both");
    struct config_value *config = collector_config(translation, instance);
    r = read_grpc(translation, instance, grpc, config);
    if (r == 0)
        r = read_http(translation, instance, http, config);
    if (r < 0)
        return r;
    set_signals(translation, instance, config);
    collector_append(translation, chain, "", "receiver/otlp", config);
    return 0;
}

const struct collector_component collector_otlp_receiver = {
    .types = {"otlp"},
    .kind = COLLECTOR_RECEIVER,
    .sentence = "receiver/otlp",
    .sections = otlp_sections,
    .translate = translate_otlp,
};

static const char *const starts[] = {"end", "beginning", NULL};
static const char *const our_starts[] = {"end", "start"};
static const char *const encodings[] = {"utf-8", "utf8", "UTF-8", NULL};

struct filelog_form {
    struct option_list include;
    int start_at, encoding;
    uint64_t poll_interval_ns;
    uint64_t max_log_size;
};

#define AT(member) offsetof(struct filelog_form, member)
static const struct option filelog_rows[] = {
    {"include", OPTION_STR_LIST, AT(include), .is_required = true,
     .sentence = "Files to follow, by name: no patterns."},
    {"start_at", OPTION_CHOICE, AT(start_at), "end", .choices = starts,
     .sentence = "Where to begin in files without a checkpoint."},
    {"poll_interval", OPTION_DURATION, AT(poll_interval_ns), "200ms", .min = FTRI_NS_PER_MS,
     .max = SECONDS_MAX, .sentence = "How often files are looked at."},
    {"max_log_size", OPTION_BYTES, AT(max_log_size), "1MiB", .min = 16, .max = UINT64_C(1) << 28,
     .sentence = "Longer lines are dropped (there: cut)."},
    {"encoding", OPTION_CHOICE, AT(encoding), "utf-8", .choices = encodings,
     .sentence = "Of the files."},
};
#undef AT

static const char no_log_records[] = "lines become records as they are";
static const struct collector_refusal filelog_refusals[] = {
    {"exclude", "name the files in include"},
    {"operators", no_log_records},
    {"multiline", no_log_records},
    {"attributes", no_log_records},
    {"resource", no_log_records},
    {"storage", "positions are kept in the data directory, in a file named after the receiver"},
    {"header", no_log_records},
    {"preserve_leading_whitespaces", no_log_records},
    {"preserve_trailing_whitespaces", no_log_records},
    {"include_file_name", "a record's key is the path of its file"},
    {"include_file_path", "a record's key is the path of its file"},
    {"include_file_name_resolved", no_log_records},
    {"include_file_path_resolved", no_log_records},
    {"include_file_owner_name", no_log_records},
    {"include_file_owner_group_name", no_log_records},
    {"include_file_record_number", no_log_records},
    {"include_file_record_offset", no_log_records},
    {"fingerprint_size", "a file is known by its device and inode"},
    {"initial_buffer_size", "buffers size themselves"},
    {"max_concurrent_files", "all files are open"},
    {"max_batches", "each file has its own reading position"},
    {"delete_after_read", "files are not deleted"},
    {"acquire_fs_lock", "files are not locked"},
    {"ordering_criteria", "name the files in include"},
    {"exclude_older_than", "name the files in include"},
    {"compression", "files are read as they are"},
    {"retry_on_failure", "a batch that is refused retryably is always read again"},
    {"force_flush_period", "a line ends at its line end"},
    {"polls_to_archive", "there is no archive"},
    {NULL, NULL},
};
static const struct collector_section filelog_section = {
    "", {filelog_rows, FTRI_COUNT(filelog_rows), sizeof(struct filelog_form)}, filelog_refusals};
static const struct collector_section *const filelog_sections[] = {&filelog_section, NULL};

static int check_include(const struct collector_translation *translation,
                         const struct collector_instance *instance)
{
    const struct config_value *include = config_get(instance->value, "include");
    if (config_size(include) == 0)
        return collector_refuse(translation, instance, include, "include: name at least one file");
    for (size_t i = 0; i < config_size(include); i++)
        if (strpbrk(config_text(config_item(include, i)), "*?[{"))
            return collector_refuse(translation, instance, config_item(include, i),
                                    "include: patterns are not supported; name the files");
    return 0;
}

static int translate_filelog(struct collector_translation *translation,
                             const struct collector_instance *instance,
                             struct collector_chain *chain)
{
    struct filelog_form form = {0};
    const struct config_value *section = instance->value;
    int r = collector_section_read(translation, &filelog_section, instance, section, &form);
    if (r == 0)
        r = check_include(translation, instance);
    if (r < 0)
        return r;
    struct config_value *config = collector_config(translation, instance);
    config_make_pair(&translation->maker, config, instance->key, "paths",
                     config_get(section, "include"));
    collector_set_text(translation, config, collector_place(instance, section, "start_at"), "from",
                       our_starts[form.start_at]);
    collector_set_text(translation, config, instance->key, "format", "text");
    collector_set_number(translation, config, collector_place(instance, section, "poll_interval"),
                         "poll_interval", form.poll_interval_ns, "ns");
    collector_set_number(translation, config, collector_place(instance, section, "max_log_size"),
                         "max_line", form.max_log_size, "");
    collector_append(translation, chain, "", "receiver/file", config);
    return 0;
}

const struct collector_component collector_filelog_receiver = {
    .types = {"filelog", "file_log"},
    .kind = COLLECTOR_RECEIVER,
    .sentence =
        "receiver/file: a record a line, for exporters that take records (debug, file, nop).",
    .sections = filelog_sections,
    .has_records = true,
    .translate = translate_filelog,
};
