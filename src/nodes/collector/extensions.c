/* SPDX-License-Identifier: Apache-2.0
 *
 * The Collector's extension health_check (opentelemetry-collector-contrib,
 * extension/healthcheckextension). */
#include "nodes/collector/component.h"

#include "config/document.h"

#include <string.h>

struct health_form {
    const char *endpoint, *path;
    const struct config_value *response_body;
    union collector_unused unused;
};

#define AT(member) offsetof(struct health_form, member)
static const struct option health_rows[] = {
    {"endpoint", OPTION_STR, AT(endpoint), "localhost:13133",
     .sentence = "HOST:PORT; without HOST all addresses of this machine."},
    {"path", OPTION_STR, AT(path), "/", .sentence = "Nothing is at other paths."},
    {"response_body", OPTION_MAP, AT(response_body), .sentence = "What is answered."},
    COLLECTOR_UNUSED("include_metadata", OPTION_BOOL, AT(unused),
                     "what would use metadata is refused"),
};
#undef AT

struct body_form {
    const char *healthy, *unhealthy;
};

#define AT(member) offsetof(struct body_form, member)
static const struct option body_rows[] = {
    {"healthy", OPTION_STR, AT(healthy), "", .sentence = "With 200; empty: a status as JSON."},
    {"unhealthy", OPTION_STR, AT(unhealthy), "", .sentence = "With 503, likewise."},
};
#undef AT

static const struct collector_refusal health_refusals[] = {
    {"tls", "receiver/health speaks no TLS; put a proxy that does in front of it"},
    {"auth", "receiver/health has no authentication"},
    {"cors", "receiver/health does not answer browsers"},
    {"check_collector_pipeline", "the answer says that the graph runs"},
    {"transport", "the endpoint is HOST:PORT"},
    {"response_headers", "answers have no further fields"},
    {NULL, NULL},
};
static const struct collector_section health_section = {
    "", {health_rows, FTRI_COUNT(health_rows), sizeof(struct health_form)}, health_refusals};
static const struct collector_section body_section = {
    "response_body", {body_rows, FTRI_COUNT(body_rows), sizeof(struct body_form)}, NULL};
static const struct collector_section *const health_sections[] = {&health_section, &body_section,
                                                                  NULL};

static int translate_health(struct collector_translation *translation,
                            const struct collector_instance *instance,
                            struct collector_chain *chain)
{
    struct health_form form = {0};
    struct body_form body = {0};
    const struct config_value *section = instance->value;
    int r = collector_section_read(translation, &health_section, instance, section, &form);
    if (r == 0)
        r = collector_section_read(translation, &body_section, instance, form.response_body, &body);
    if (r < 0)
        return r;
    struct config_value *config = collector_config(translation, instance);
    collector_set_text(translation, config, collector_place(instance, section, "endpoint"),
                       "address",
                       collector_text(translation, "%s%s", form.endpoint[0] == ':' ? "0.0.0.0" : "",
                                      form.endpoint));
    collector_set_text(translation, config, collector_place(instance, section, "path"), "path",
                       form.path);
    const struct config_value *place = collector_place(instance, section, "response_body");
    if (body.healthy[0])
        collector_set_text(translation, config, place, "healthy", body.healthy);
    if (body.unhealthy[0])
        collector_set_text(translation, config, place, "unhealthy", body.unhealthy);
    collector_append(translation, chain, "", "receiver/health", config);
    return 0;
}

const struct collector_component collector_health_check = {
    .types = {"health_check"},
    .kind = COLLECTOR_EXTENSION,
    .sentence = "receiver/health",
    .sections = health_sections,
    .translate = translate_health,
};
