/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/variable.h"

#include "base/text.h"
#include "trace/diagnostics.h"

#include <inttypes.h>
#include <stdlib.h>

const char *ftri_variable(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

bool ftri_variable_number(const char *name, uint64_t max, uint64_t *ret_value)
{
    const char *text = ftri_variable(name);
    if (!text)
        return false;
    if (ftri_text_whole(ftr_str_from(text), max, ret_value))
        return true;
    ftri_diagnose("%s: ignored, expected a whole number from 0 to %" PRIu64, name, max);
    return false;
}

uint32_t ftri_variable_choose(uint32_t configured, const char *name, const char *general,
                              uint32_t standard)
{
    uint64_t value = standard;
    if (configured != 0)
        return configured;
    if (!ftri_variable_number(name, UINT32_MAX, &value) && general)
        (void)ftri_variable_number(general, UINT32_MAX, &value);
    return (uint32_t)value;
}

/* Only what is asked for: without any variable nothing is exported. */
struct ftri_exporter_wishes ftri_variable_exporters(const char *list_name,
                                                    const char *endpoint_name,
                                                    enum ftri_exporter_names names)
{
    struct ftri_exporter_wishes wishes = {false};
    const char *list = ftri_variable(list_name);
    if (!list) {
        wishes.otlp = ftri_variable("OTEL_EXPORTER_OTLP_ENDPOINT") || ftri_variable(endpoint_name);
        wishes.is_implied = wishes.otlp;
        return wishes;
    }
    ftr_str rest = ftr_str_from(list);
    for (ftr_str name; ftri_text_split(&rest, ',', &name);) {
        name = ftri_trim(name);
        const bool is_otlp = ftri_text_same_word(name, FTR_STR("otlp"));
        const bool is_console = ftri_text_same_word(name, FTR_STR("console"));
        const bool is_prometheus =
            names == FTRI_NAMES_PROMETHEUS && ftri_text_same_word(name, FTR_STR("prometheus"));
        const bool is_otlp_stdout =
            names == FTRI_NAMES_OTLP_STDOUT && ftri_text_same_word(name, FTR_STR("otlp/stdout"));
        wishes.otlp |= is_otlp;
        wishes.console |= is_console;
        wishes.prometheus |= is_prometheus;
        wishes.otlp_stdout |= is_otlp_stdout;
        if (name.len > 0 && !is_otlp && !is_otlp_stdout && !is_console && !is_prometheus &&
            !ftri_text_same_word(name, FTR_STR("none")))
            ftri_diagnose("%s: %.*s is ignored, expected otlp, %s, console or none", list_name,
                          (int)ftri_size_min(name.len, 64), name.data,
                          names == FTRI_NAMES_PROMETHEUS ? "prometheus" : "otlp/stdout");
    }
    return wishes;
}
