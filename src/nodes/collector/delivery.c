/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/delivery.h"

#include "base/text.h"
#include "base/time.h"
#include "config/document.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOUR_NS (3600 * FTRI_NS_PER_S)

struct tls_form {
    bool is_insecure;
    const char *ca_file, *cert_file, *key_file;
    union collector_unused unused;
};

#define AT(member) offsetof(struct tls_form, member)
static const struct option tls_rows[] = {
    {"insecure", OPTION_BOOL, AT(is_insecure), "false", .sentence = "No TLS."},
    {"ca_file", OPTION_STR, AT(ca_file), "",
     .sentence = "PEM file of the authorities to trust; empty: the system's."},
    {"cert_file", OPTION_STR, AT(cert_file), "", .sentence = "PEM file of the client."},
    {"key_file", OPTION_STR, AT(key_file), "", .sentence = "PEM file of the client's key."},
    COLLECTOR_UNUSED("reload_interval", OPTION_DURATION, AT(unused),
                     "files are read for every connection"),
};
#undef AT

static const struct collector_refusal tls_refusals[] = {
    {"insecure_skip_verify", "certificates are always verified; name the authority in ca_file"},
    {"server_name_override", "certificates are verified for the endpoint's name"},
    {"ca_pem", "name a file"},
    {"cert_pem", "name a file"},
    {"key_pem", "name a file"},
    {"min_version", "the TLS library's own is used"},
    {"max_version", "the TLS library's own is used"},
    {"cipher_suites", "the TLS library's own are used"},
    {"curve_preferences", "the TLS library's own are used"},
    {"include_insecure_cipher_suites", "the TLS library's own are used"},
    {"include_system_ca_certs_pool", "the authorities are those of ca_file, or the system's"},
    {"tpm", "keys are read from files"},
    {NULL, NULL},
};
const struct collector_section collector_tls = {
    "tls", {tls_rows, FTRI_COUNT(tls_rows), sizeof(struct tls_form)}, tls_refusals};

struct retry_form {
    bool is_enabled;
    uint64_t initial_interval_ns, max_interval_ns, max_elapsed_ns;
    double multiplier, randomization_factor;
};

#define AT(member) offsetof(struct retry_form, member)
static const struct option retry_rows[] = {
    {"enabled", OPTION_BOOL, AT(is_enabled), "true",
     .sentence = "Whether a batch that was refused retryably is sent again."},
    {"initial_interval", OPTION_DURATION, AT(initial_interval_ns), "5s", .min = FTRI_NS_PER_MS,
     .max = HOUR_NS, .sentence = "Delay before the second attempt."},
    {"max_interval", OPTION_DURATION, AT(max_interval_ns), "30s", .min = FTRI_NS_PER_MS,
     .max = HOUR_NS, .sentence = "Longest delay."},
    {"max_elapsed_time", OPTION_DURATION, AT(max_elapsed_ns), "5m",
     .sentence = "After this long the batch is given up; 0s: never."},
    {"multiplier", OPTION_F64, AT(multiplier), "1.5",
     .sentence = "What the delay grows by each time, from 1 to 100."},
    {"randomization_factor", OPTION_F64, AT(randomization_factor), "0.5",
     .sentence = "Share of the delay that it may be shorter or longer by, from 0 to 1."},
};
#undef AT
const struct collector_section collector_retry = {
    "retry_on_failure", {retry_rows, FTRI_COUNT(retry_rows), sizeof(struct retry_form)}, NULL};

static const char *const sizers[] = {"requests", NULL};
static const char *const batch_sizers[] = {"items", NULL};

struct queue_form {
    bool is_enabled;
    uint64_t num_consumers, queue_size;
    bool waits_for_result;
    const struct config_value *batch;
    union collector_unused unused;
};

#define AT(member) offsetof(struct queue_form, member)
static const struct option queue_rows[] = {
    {"enabled", OPTION_BOOL, AT(is_enabled), "true",
     .sentence = "Whether senders are answered when their batch is in the queue; else when it was "
                 "delivered."},
    {"num_consumers", OPTION_U64, AT(num_consumers), "10", .min = 1, .max = 1024,
     .sentence = "Requests at once."},
    {"queue_size", OPTION_U64, AT(queue_size), "1000", .min = 1, .max = 100000,
     .sentence = "Batches held at once; beyond it senders are refused retryably."},
    {.name = "sizer",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .fallback = "requests",
     .choices = sizers,
     .sentence = "What queue_size counts."},
    {"wait_for_result", OPTION_BOOL, AT(waits_for_result), "false",
     .sentence = "Senders are answered when their batch was delivered, although there is a queue."},
    COLLECTOR_UNUSED("block_on_overflow", OPTION_BOOL, AT(unused),
                     "a full queue always holds up the nodes before it, and receivers refuse"),
    {"batch", OPTION_MAP, AT(batch), .sentence = "Batches are gathered before the queue."},
};
#undef AT

static const struct collector_refusal queue_refusals[] = {
    {"storage", "the queue is in memory"},
    {NULL, NULL},
};
const struct collector_section collector_queue = {
    "sending_queue",
    {queue_rows, FTRI_COUNT(queue_rows), sizeof(struct queue_form)},
    queue_refusals};

struct queue_batch_form {
    uint64_t flush_timeout_ns, min_size, max_size;
    union collector_unused unused;
};

#define AT(member) offsetof(struct queue_batch_form, member)
static const struct option queue_batch_rows[] = {
    {"flush_timeout", OPTION_DURATION, AT(flush_timeout_ns), "200ms", .min = FTRI_NS_PER_MS,
     .max = HOUR_NS, .sentence = "The longest that an item waits."},
    {"min_size", OPTION_U64, AT(min_size), "8192", .max = 10000000,
     .sentence = "A batch with this many items is sent; 0: every batch at once."},
    {"max_size", OPTION_U64, AT(max_size), "0", .max = 10000000,
     .sentence = "Larger batches are split; 0: none is."},
    {.name = "sizer",
     .type = OPTION_CHOICE,
     .offset = AT(unused),
     .fallback = "items",
     .choices = batch_sizers,
     .sentence = "What the sizes count."},
};
#undef AT

static const struct collector_refusal queue_batch_refusals[] = {
    {"partition", "metadata of requests is not taken in"},
    {NULL, NULL},
};
const struct collector_section collector_queue_batch = {
    "sending_queue::batch",
    {queue_batch_rows, FTRI_COUNT(queue_batch_rows), sizeof(struct queue_batch_form)},
    queue_batch_refusals};

static int set_tls(struct collector_translation *translation,
                   const struct collector_instance *instance, const struct config_value *section,
                   struct config_value *config)
{
    struct tls_form form = {0};
    const int r = collector_section_read(translation, &collector_tls, instance, section, &form);
    if (r < 0)
        return r;
    if (!form.cert_file[0] != !form.key_file[0])
        return collector_refuse(
            translation, instance,
            collector_place(instance, section, form.cert_file[0] ? "cert_file" : "key_file"),
            "tls: cert_file and key_file go together");
    const struct {
        const char *theirs, *ours, *value;
    } texts[] = {
        {"insecure", "insecure", form.is_insecure ? "true" : "false"},
        {"ca_file", "certificate", form.ca_file},
        {"cert_file", "client_certificate", form.cert_file},
        {"key_file", "client_key", form.key_file},
    };
    for (size_t i = 0; i < FTRI_COUNT(texts); i++)
        collector_set_text(translation, config, collector_place(instance, section, texts[i].theirs),
                           texts[i].ours, texts[i].value);
    return 0;
}

static bool stays(char c)
{
    return isalnum((unsigned char)c) || strchr("-._~", c);
}

/* A mapping of theirs becomes name=value,name=value. */
static int set_headers(struct collector_translation *translation,
                       const struct collector_instance *instance,
                       const struct config_value *headers, struct config_value *config)
{
    enum { ROOM = 32 * 1024 };
    char text[ROOM];
    size_t n = 0;
    for (size_t i = 0; headers && i < config_size(headers); i++) {
        const struct config_value *name = config_key(headers, i);
        const struct config_value *value = config_value_at(headers, i);
        if (config_kind(value) != CONFIG_SCALAR)
            return collector_refuse(translation, instance, value,
                                    "headers: '%.100s': expected a text", config_text(name));
        if (!ftri_text_is_token(ftr_str_from(config_text(name))))
            return collector_refuse(translation, instance, name,
                                    "headers: '%.100s' is not the name of a header",
                                    config_text(name));
        const ftr_str value_text = ftr_str_from(config_text(value));
        const size_t name_len = strlen(config_text(name));
        if (name_len + 3 * value_text.len + 2 > ROOM - n)
            return collector_refuse(translation, instance, name, "headers: larger than 32 KiB");
        n += (size_t)snprintf(text + n, ROOM - n, "%s%s=", n ? "," : "", config_text(name));
        n += ftri_percent_encode(value_text, stays, text + n, ROOM - n);
    }
    text[n] = '\0';
    if (n)
        collector_set_text(translation, config, headers, "headers", text);
    return 0;
}

static int set_options(struct collector_translation *translation,
                       const struct collector_instance *instance, const struct delivery_form *form,
                       struct config_value *config)
{
    static const char *const compressions[] = {"gzip", "zstd", "none", "", NULL};
    const struct config_value *section = instance->value;
    const struct config_value *place = collector_place(instance, section, "compression");
    size_t i = 0;
    while (compressions[i] && strcmp(compressions[i], form->compression) != 0)
        i++;
    if (!compressions[i])
        return collector_refuse(translation, instance, place,
                                "compression: '%.60s' is not supported: there are gzip, zstd and "
                                "none",
                                form->compression);
    collector_set_text(translation, config, place, "compression",
                       form->compression[0] ? form->compression : "none");
    collector_set_number(translation, config, collector_place(instance, section, "timeout"),
                         "timeout", form->timeout_ns, "ns");
    const int r = set_tls(translation, instance, form->tls, config);
    return r < 0 ? r : set_headers(translation, instance, form->headers, config);
}

static int append_batch(struct collector_translation *translation,
                        const struct collector_instance *instance,
                        const struct config_value *section, struct collector_chain *chain)
{
    struct queue_batch_form form = {0};
    const int r =
        collector_section_read(translation, &collector_queue_batch, instance, section, &form);
    if (r < 0)
        return r;
    if (form.max_size && form.max_size < form.min_size)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "max_size"),
                                "sending_queue::batch: max_size is less than min_size");
    struct config_value *config = collector_config(translation, instance);
    collector_set_number(translation, config, collector_place(instance, section, "min_size"),
                         "max_items", form.min_size ? form.min_size : 1, "");
    collector_set_number(translation, config, collector_place(instance, section, "flush_timeout"),
                         "max_delay", form.flush_timeout_ns, "ns");
    if (form.max_size)
        collector_set_number(translation, config, collector_place(instance, section, "max_size"),
                             "split", form.max_size, "");
    collector_append(translation, chain, "::sending_queue::batch", "processor/batch", config);
    return 0;
}

static int check_retry(const struct collector_translation *translation,
                       const struct collector_instance *instance,
                       const struct config_value *section, const struct retry_form *form)
{
    const uint64_t elapsed = form->max_elapsed_ns;
    const bool is_too_short =
        form->is_enabled && elapsed &&
        (elapsed < form->initial_interval_ns || elapsed < form->max_interval_ns);
    if (is_too_short)
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "max_elapsed_time"),
                                "retry_on_failure: max_elapsed_time is less than initial_interval "
                                "or max_interval");
    if (!(form->multiplier >= 1 && form->multiplier <= 100))
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "multiplier"),
                                "retry_on_failure: multiplier is out of range: 1 to 100");
    if (!(form->randomization_factor >= 0 && form->randomization_factor <= 1))
        return collector_refuse(translation, instance,
                                collector_place(instance, section, "randomization_factor"),
                                "retry_on_failure: randomization_factor is out of range: 0 to 1");
    return 0;
}

static void set_retry(struct collector_translation *translation,
                      const struct collector_instance *instance, const struct config_value *section,
                      const struct retry_form *form, struct config_value *config)
{
    struct config_maker *const maker = &translation->maker;
    const uint64_t first = form->initial_interval_ns;
    const uint64_t longest = form->max_interval_ns > first ? form->max_interval_ns : first;
    const struct config_value *elapsed = collector_place(instance, section, "max_elapsed_time");
    collector_set_number(translation, config,
                         collector_place(instance, section, "initial_interval"), "initial_delay",
                         first, "ns");
    collector_set_number(translation, config, collector_place(instance, section, "max_interval"),
                         "max_delay", longest, "ns");
    if (!form->is_enabled)
        collector_set_number(translation, config, elapsed, "max_elapsed", 0, "s");
    else if (form->max_elapsed_ns)
        collector_set_number(translation, config, elapsed, "max_elapsed", form->max_elapsed_ns,
                             "ns");
    else
        collector_set_text(translation, config, elapsed, "max_elapsed", "36500d");
    const struct {
        const char *theirs, *ours;
        double value;
    } reals[] = {
        {"multiplier", "multiplier", form->multiplier},
        {"randomization_factor", "jitter", form->randomization_factor},
    };
    for (size_t i = 0; i < FTRI_COUNT(reals); i++) {
        const struct config_value *place = collector_place(instance, section, reals[i].theirs);
        config_make_pair(maker, config, place, reals[i].ours,
                         config_make_text(maker, place, "%.17g", reals[i].value));
    }
}

/* One node holds what is queued and what is sent again. */
static int append_queue(struct collector_translation *translation,
                        const struct collector_instance *instance,
                        const struct config_value *retry_section, const struct queue_form *queue,
                        const struct config_value *queue_section, struct collector_chain *chain)
{
    struct retry_form retry = {0};
    int r = collector_section_read(translation, &collector_retry, instance, retry_section, &retry);
    if (r == 0)
        r = check_retry(translation, instance, retry_section, &retry);
    if (r < 0 || (!retry.is_enabled && !queue->is_enabled))
        return r;
    struct config_value *config = collector_config(translation, instance);
    const bool is_held = queue->is_enabled && !queue->waits_for_result;
    set_retry(translation, instance, retry_section, &retry, config);
    collector_set_number(translation, config,
                         collector_place(instance, queue_section, "queue_size"), "max_held",
                         queue->queue_size, "");
    collector_set_text(translation, config, collector_place(instance, queue_section, "enabled"),
                       "acknowledge", is_held ? "held" : "delivered");
    collector_append(translation, chain,
                     queue->is_enabled ? "::sending_queue" : "::retry_on_failure",
                     "processor/retry", config);
    return 0;
}

int collector_deliver(struct collector_translation *translation,
                      const struct collector_instance *instance, const struct delivery_form *form,
                      struct config_value *config, struct collector_chain *chain)
{
    struct queue_form queue = {0};
    int r = set_options(translation, instance, form, config);
    if (r == 0)
        r = collector_section_read(translation, &collector_queue, instance, form->queue, &queue);
    if (r < 0)
        return r;
    collector_set_number(translation, config,
                         collector_place(instance, form->queue, "num_consumers"), "max_in_flight",
                         queue.num_consumers, "");
    const struct config_value *batch = form->queue ? config_get(form->queue, "batch") : NULL;
    if (queue.is_enabled && batch)
        r = append_batch(translation, instance, batch, chain);
    return r < 0 ? r : append_queue(translation, instance, form->retry, &queue, form->queue, chain);
}
