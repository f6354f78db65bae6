/* SPDX-License-Identifier: Apache-2.0
 *
 * With `field` the value has to be a JSON object that has this member once; anything else is no
 * value: who writes it may not be trusted, and two readers of one object must not come to different
 * ends. */
#include "nodes/processors/route_metadata.h"

#include "codec/json_reader.h"
#include "config/document.h"
#include "engine/metadata.h"
#include "engine/pdata.h"

#include <string.h>

static bool is_text(ftr_str text, const char *wanted)
{
    return text.len == strlen(wanted) && memcmp(text.data, wanted, text.len) == 0;
}

/* The first route that lists the value. */
static uint32_t port_of_value(const struct route_options *options, ftr_str value)
{
    for (size_t i = 0; i < config_size(options->routes); i++) {
        const struct config_value *values = config_value_at(options->routes, i);
        for (size_t j = 0; j < config_size(values); j++)
            if (is_text(value, config_text(config_item(values, j))))
                return UINT32_C(1) << i;
    }
    return 0;
}

static bool is_scalar(int token)
{
    return token == FTRI_JSON_STRING || token == FTRI_JSON_NUMBER;
}

/* The member's value: a text or a number, or a list, of which those count. */
static int read_member(struct ftri_json_reader *json, const struct route_options *options,
                       uint32_t *ports)
{
    int token = ftri_json_reader_next(json);
    if (is_scalar(token)) {
        *ports |= port_of_value(options, json->text);
        return 0;
    }
    if (token != FTRI_JSON_ARRAY)
        return token < 0 ? token : ftri_json_reader_skip(json, token);
    while ((token = ftri_json_reader_next(json)) != FTRI_JSON_ARRAY_END) {
        if (is_scalar(token))
            *ports |= port_of_value(options, json->text);
        const int r = token < 0 ? token : ftri_json_reader_skip(json, token);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_object(struct ftri_json_reader *json, const struct route_options *options,
                       uint32_t *ports)
{
    size_t n_members = 0;
    int token;
    while ((token = ftri_json_reader_next(json)) == FTRI_JSON_NAME) {
        const bool is_wanted = is_text(json->text, options->field);
        n_members += is_wanted;
        int r = is_wanted ? read_member(json, options, ports) : ftri_json_reader_next(json);
        if (r > 0)
            r = ftri_json_reader_skip(json, r);
        if (r < 0)
            return r;
    }
    if (token >= 0 && n_members > 1)
        *ports = 0;
    return token < 0 ? token : ftri_json_reader_next(json); /* FTRI_JSON_END */
}

static uint32_t ports_of_json(const struct route_options *options, ftr_str value)
{
    struct ftri_json_reader json;
    uint32_t ports = 0;
    ftri_json_reader_init(&json, ftri_view_of(value.data, value.len));
    const bool is_object = ftri_json_reader_next(&json) == FTRI_JSON_OBJECT;
    const bool is_whole = is_object && read_object(&json, options, &ports) == FTRI_JSON_END;
    ftri_json_reader_deinit(&json);
    return is_whole ? ports : 0;
}

uint32_t route_ports_of(const struct route_options *options, const struct pdata *pdata)
{
    const ftr_str value = metadata_get(pdata->metadata, ftr_str_from(options->metadata));
    if (!value.data)
        return 0;
    return options->field[0] ? ports_of_json(options, value) : port_of_value(options, value);
}
