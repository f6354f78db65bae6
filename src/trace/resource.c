/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/resource.h"

#include "base/text.h"
#include "trace/diagnostics.h"

#include <errno.h>
#include <flowtrace/tracing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 16, OWN_ATTRIBUTES = 7 };

static bool copy_value(struct ftri_arena *arena, const ftr_value *value, int depth,
                       ftr_value *ret_value);

static ftr_attribute *copy_attributes(struct ftri_arena *arena, const ftr_attribute *attributes,
                                      size_t n, int depth)
{
    if (n > SIZE_MAX / sizeof *attributes - 1)
        return NULL;
    ftr_attribute *copies = ftri_arena_alloc(arena, (n + 1) * sizeof *copies);
    if (!copies)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        copies[i].key = ftri_arena_copy(arena, attributes[i].key);
        if (!copies[i].key.data ||
            !copy_value(arena, &attributes[i].value, depth, &copies[i].value))
            return NULL;
    }
    return copies;
}

static bool copy_items(struct ftri_arena *arena, const ftr_value *items, size_t n, int depth,
                       ftr_value *ret_value)
{
    if (n > SIZE_MAX / sizeof *items - 1)
        return false;
    ftr_value *copies = ftri_arena_alloc(arena, (n + 1) * sizeof *copies);
    if (!copies)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!copy_value(arena, &items[i], depth, &copies[i]))
            return false;
    *ret_value = ftr_value_array(copies, n);
    return true;
}

static bool copy_value(struct ftri_arena *arena, const ftr_value *value, int depth,
                       ftr_value *ret_value)
{
    *ret_value = *value;
    if (depth == DEPTH_MAX)
        return false;
    switch (value->type) {
    case FTR_VALUE_STR:
    case FTR_VALUE_BYTES:
        ret_value->as.str = ftri_arena_copy(arena, value->as.str);
        return ret_value->as.str.data != NULL;
    case FTR_VALUE_ARRAY:
        return copy_items(arena, value->as.array.items, value->as.array.n_items, depth + 1,
                          ret_value);
    case FTR_VALUE_MAP:
        ret_value->as.map.items =
            copy_attributes(arena, value->as.map.items, value->as.map.n_items, depth + 1);
        return ret_value->as.map.items != NULL;
    default:
        return true;
    }
}

ftr_attribute *ftri_attributes_copy(struct ftri_arena *arena, const ftr_attribute *attributes,
                                    size_t n)
{
    return copy_attributes(arena, attributes, n, 0);
}

/* A list of fixed room whose later entries replace earlier ones. */
struct list {
    ftr_attribute *items;
    size_t n;
};

static void put(struct list *list, ftr_str key, ftr_value value)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].key.len == key.len &&
            memcmp(list->items[i].key.data, key.data, key.len) == 0) {
            list->items[i].value = value;
            return;
        }
    list->items[list->n++] = (ftr_attribute){key, value};
}

static void put_str(struct list *list, const char *key, ftr_str text)
{
    put(list, ftr_str_from(key), ftr_value_str(text));
}

/* In place; false: a % without two digits. */
static bool decode(ftr_str *text)
{
    char *to = (char *)(uintptr_t)text->data; /* the arena's copy, ours to write */
    text->len = ftri_percent_decode(*text, to, text->len);
    return text->len != SIZE_MAX;
}

static bool read_pair(ftr_str pair, struct list *list)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    if (!equals)
        return false;
    const size_t key_len = (size_t)(equals - pair.data);
    ftr_str key = ftri_trim((ftr_str){pair.data, key_len});
    ftr_str value = ftri_trim((ftr_str){equals + 1, pair.len - key_len - 1});
    if (key.len == 0 || !decode(&key) || !decode(&value))
        return false;
    put(list, key, ftr_value_str(value));
    return true;
}

/* "key=value,key=value", percent-encoded; one mistake and all of it is ignored. text: our copy. */
static bool read_list(ftr_str text, struct list *list)
{
    for (ftr_str pair; ftri_text_split(&text, ',', &pair);) {
        pair = ftri_trim(pair);
        if (pair.len > 0 && !read_pair(pair, list)) {
            list->n = 0;
            return false;
        }
    }
    return true;
}

static void put_all(struct list *list, const ftr_attribute *attributes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(list, attributes[i].key, attributes[i].value);
}

static size_t count_commas(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static ftr_str variable(const char *name)
{
    return ftr_str_from(getenv(name));
}

/* "unknown_service:program"; empty: memory is short. */
static ftr_str standard_service_name(struct ftri_arena *arena)
{
    char text[128];
    snprintf(text, sizeof text, "unknown_service:%s", program_invocation_short_name);
    return ftri_arena_copy(arena, ftr_str_from(text));
}

/* Before and after OTEL_RESOURCE_ATTRIBUTES. */
static void put_target(struct list *list, bool is_krishiv, ftr_str target)
{
    if (is_krishiv && target.len > 0)
        put_str(list, "deployment.target", target);
}

int ftri_resource_read(struct ftri_arena *arena, const ftr_config *config, bool is_krishiv,
                       ftr_attribute **ret_attributes, size_t *ret_n)
{
    const ftr_str pairs = ftri_arena_copy(arena, variable("OTEL_RESOURCE_ATTRIBUTES"));
    const ftr_str named = ftri_arena_copy(arena, variable("OTEL_SERVICE_NAME"));
    const ftr_str target = ftri_arena_copy(arena, variable("KRISHIV_DEPLOYMENT_TARGET"));
    const ftr_str standard_name = standard_service_name(arena);
    const ftr_str configured_name = ftri_arena_copy(arena, config->service_name);
    const ftr_attribute *configured =
        ftri_attributes_copy(arena, config->resource, config->n_resource);
    if (!pairs.data || !named.data || !target.data || !standard_name.data ||
        !configured_name.data || !configured)
        return -ENOMEM;
    const size_t n_pairs = 1 + count_commas(pairs.data);
    const size_t room = OWN_ATTRIBUTES + n_pairs + config->n_resource;
    struct list list = {.items = ftri_arena_alloc(arena, room * sizeof *list.items)};
    struct list from_list = {.items = ftri_arena_alloc(arena, n_pairs * sizeof *list.items)};
    if (!list.items || !from_list.items)
        return -ENOMEM;
    put_str(&list, "service.name", standard_name);
    put_str(&list, "telemetry.sdk.name", FTR_STR("flowtrace"));
    put_str(&list, "telemetry.sdk.language", FTR_STR("c"));
    put_str(&list, "telemetry.sdk.version", FTR_STR(FTR_VERSION));
    put(&list, FTR_STR(FTRI_RESOURCE_PID), ftr_value_i64(getpid()));
    put_target(&list, is_krishiv, FTR_STR("unknown"));
    if (!read_list(pairs, &from_list))
        ftri_diagnose("OTEL_RESOURCE_ATTRIBUTES: ignored, expected key=value pairs, "
                      "percent-encoded, with commas between");
    put_all(&list, from_list.items, from_list.n);
    if (named.len > 0)
        put_str(&list, "service.name", named);
    put_target(&list, is_krishiv, target);
    put_all(&list, configured, config->n_resource);
    if (configured_name.len > 0)
        put_str(&list, "service.name", configured_name);
    *ret_attributes = list.items;
    *ret_n = list.n;
    return 0;
}
