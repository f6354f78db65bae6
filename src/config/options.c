/* SPDX-License-Identifier: Apache-2.0
 *
 * One function a type reads a text into its place; defaults and documents go the same way, so a
 * wrong default is found by the same checks. */
#include "config/options.h"

#include "base/error.h"
#include "base/text.h"
#include "codec/json_number.h"
#include "config/quantity.h"
#include "config/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 256, REASON_BYTES = 320 };

/* A text on its way into an option. */
struct reading {
    const struct option *option;
    const char *text;
    bool is_quoted;
    void *place;
    char *reason; /* REASON_BYTES, written on failure */
};

static int expected(const struct reading *self, const char *what)
{
    if (self->option->is_secret)
        snprintf(self->reason, REASON_BYTES, "expected %s", what);
    else
        snprintf(self->reason, REASON_BYTES, "expected %s, not %s%.100s%s", what,
                 self->is_quoted ? "\"" : "'", self->text, self->is_quoted ? "\"" : "'");
    return -EINVAL;
}

static void format_plain(uint64_t value, char ret_text[QUANTITY_TEXT_BYTES])
{
    snprintf(ret_text, QUANTITY_TEXT_BYTES, "%llu", (unsigned long long)value);
}

static int check_range(const struct reading *self, uint64_t value,
                       void (*format)(uint64_t value, char ret_text[QUANTITY_TEXT_BYTES]))
{
    const struct option *option = self->option;
    if (value >= option->min && (option->max == 0 || value <= option->max))
        return 0;
    char min[QUANTITY_TEXT_BYTES], max[QUANTITY_TEXT_BYTES];
    format(option->min, min);
    format(option->max, max);
    if (option->max)
        snprintf(self->reason, REASON_BYTES, "'%.60s' is out of range: %s to %s", self->text, min,
                 max);
    else
        snprintf(self->reason, REASON_BYTES, "'%.60s' is out of range: at least %s", self->text,
                 min);
    return -EINVAL;
}

static int read_str(const struct reading *self)
{
    *(const char **)self->place = self->text;
    return 0;
}

static int read_bool(const struct reading *self)
{
    const bool is_true = strcmp(self->text, "true") == 0;
    if (self->is_quoted || (!is_true && strcmp(self->text, "false") != 0))
        return expected(self, "true or false");
    *(bool *)self->place = is_true;
    return 0;
}

static int read_u64(const struct reading *self)
{
    uint64_t value = 0;
    if (self->is_quoted || quantity_parse_u64(self->text, &value) < 0)
        return expected(self, "a whole number");
    if (check_range(self, value, format_plain) < 0)
        return -EINVAL;
    *(uint64_t *)self->place = value;
    return 0;
}

static int read_f64(const struct reading *self)
{
    double value = 0;
    if (self->is_quoted || ftri_json_to_f64(ftr_str_from(self->text), &value) < 0)
        return expected(self, "a number");
    *(double *)self->place = value;
    return 0;
}

static int read_bytes(const struct reading *self)
{
    uint64_t value = 0;
    if (quantity_parse_bytes(self->text, &value) < 0)
        return expected(self, "a size such as 4096, 64MiB or 1GB");
    if (check_range(self, value, quantity_format_bytes) < 0)
        return -EINVAL;
    *(uint64_t *)self->place = value;
    return 0;
}

static int read_duration(const struct reading *self)
{
    uint64_t value = 0;
    if (quantity_parse_duration(self->text, &value) < 0)
        return expected(self, "a duration such as 200ms, 5s, 1h or 7d");
    if (check_range(self, value, quantity_format_duration) < 0)
        return -EINVAL;
    *(uint64_t *)self->place = value;
    return 0;
}

/* "'x' is not one of a, b, c; did you mean 'y'?" */
static int refuse_choice(const struct reading *self, size_t n)
{
    char names[160] = "";
    size_t len = 0;
    for (size_t i = 0; i < n && len < sizeof names; i++) {
        const int added = snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "",
                                   self->option->choices[i]);
        len += added > 0 ? (size_t)added : 0;
    }
    const char *near = ftri_text_nearest(self->text, self->option->choices, n);
    snprintf(self->reason, REASON_BYTES, "'%.60s' is not one of %s%s%s%s", self->text, names,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return -EINVAL;
}

static int read_choice(const struct reading *self)
{
    size_t n = 0;
    for (; self->option->choices[n]; n++) {
        if (strcmp(self->option->choices[n], self->text) == 0) {
            *(int *)self->place = (int)n;
            return 0;
        }
    }
    return refuse_choice(self, n);
}

static int (*const readers[])(const struct reading *self) = {
    [OPTION_STR] = read_str,           [OPTION_BOOL] = read_bool,   [OPTION_U64] = read_u64,
    [OPTION_F64] = read_f64,           [OPTION_BYTES] = read_bytes, [OPTION_CHOICE] = read_choice,
    [OPTION_DURATION] = read_duration,
};

int options_default(const struct option_table *table, void *ret_values, struct ftri_error *error)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option *option = &table->rows[i];
        if (!option->fallback)
            continue;
        /* Lists and maps have no default: their items would belong to nobody. */
        if (option->type == OPTION_STR_LIST || option->type == OPTION_MAP ||
            option->type == OPTION_LIST)
            return ftri_error_set(error, -EINVAL, "the default of '%s' is a list or mapping",
                                  option->name);
        char reason[REASON_BYTES];
        const struct reading reading = {option, option->fallback, false,
                                        (char *)ret_values + option->offset, reason};
        if (readers[option->type](&reading) < 0)
            return ftri_error_set(error, -EINVAL, "the default of '%s': %s", option->name, reason);
    }
    return 0;
}

static int read_list(const struct config_value *value, const char *owner,
                     const struct option *option, void *place, struct ftri_error *error)
{
    if (value->kind != CONFIG_SEQUENCE)
        return config_error(value, error, -EINVAL, "%s: %s: expected a list, not a %s", owner,
                            option->name, config_kind_name(value->kind));
    for (size_t i = 0; i < value->n; i++)
        if (value->items[i]->kind != CONFIG_SCALAR)
            return config_error(value->items[i], error, -EINVAL,
                                "%s: %s: expected a list of texts, here is a %s", owner,
                                option->name, config_kind_name(value->items[i]->kind));
    *(struct option_list *)place = (struct option_list){value->texts, value->n};
    return 0;
}

/* OPTION_MAP, OPTION_LIST: the node reads it itself. */
static int read_tree(const struct config_value *value, const char *owner,
                     const struct option *option, void *place, struct ftri_error *error)
{
    const bool is_list = option->type == OPTION_LIST;
    if (value->kind != (is_list ? CONFIG_SEQUENCE : CONFIG_MAPPING))
        return config_error(value, error, -EINVAL, "%s: %s: expected a %s, not a %s", owner,
                            option->name, is_list ? "list" : "mapping",
                            config_kind_name(value->kind));
    *(const struct config_value **)place = value;
    return 0;
}

static int read_value(const struct config_value *value, const char *owner,
                      const struct option *option, void *place, struct ftri_error *error)
{
    if (option->type == OPTION_STR_LIST)
        return read_list(value, owner, option, place, error);
    if (option->type == OPTION_MAP || option->type == OPTION_LIST)
        return read_tree(value, owner, option, place, error);
    if (value->kind != CONFIG_SCALAR)
        return config_error(value, error, -EINVAL, "%s: %s: expected one value, not a %s", owner,
                            option->name, config_kind_name(value->kind));
    char reason[REASON_BYTES];
    const struct reading reading = {option, value->text, value->is_quoted, place, reason};
    if (readers[option->type](&reading) < 0)
        return config_error(value, error, -EINVAL, "%s: %s: %s", owner, option->name, reason);
    return 0;
}

static const struct option *find_option(const struct option_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

static int refuse_unknown(const struct option_table *table, const struct config_value *key,
                          const char *owner, struct ftri_error *error)
{
    const char *names[ROWS_MAX];
    const size_t n = ftri_size_min(table->n_rows, ROWS_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = table->rows[i].name;
    const char *near = ftri_text_nearest(key->text, names, n);
    return config_error(key, error, -EINVAL, "%s: there is no option '%.100s'%s%s%s", owner,
                        key->text, near ? "; did you mean '" : "", near ? near : "",
                        near ? "'?" : "");
}

/* Null stands for "not given". */
static bool is_given(const struct config_value *section, const char *name)
{
    const struct config_value *value = section ? config_get(section, name) : NULL;
    return value && value->kind != CONFIG_NULL;
}

static int check_required(const struct option_table *table, const struct config_value *section,
                          const char *owner, struct ftri_error *error)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const char *name = table->rows[i].name;
        if (!table->rows[i].is_required || is_given(section, name))
            continue;
        if (section)
            return config_error(section, error, -EINVAL, "%s: '%s' is required", owner, name);
        return ftri_error_set(error, -EINVAL, "%s: '%s' is required", owner, name);
    }
    return 0;
}

int options_read(const struct option_table *table, const struct config_value *section,
                 const char *owner, void *ret_values, struct ftri_error *error)
{
    int r = options_default(table, ret_values, error);
    if (r < 0)
        return ftri_error_prefix(error, r, "%s", owner);
    if (section && section->kind == CONFIG_NULL)
        section = NULL;
    if (section && section->kind != CONFIG_MAPPING)
        return config_error(section, error, -EINVAL, "%s: expected a mapping, not a %s", owner,
                            config_kind_name(section->kind));
    for (size_t i = 0; section && i < section->n; i++) {
        const struct option *option = find_option(table, section->keys[i]->text);
        if (!option)
            return refuse_unknown(table, section->keys[i], owner, error);
        if (section->items[i]->kind == CONFIG_NULL)
            continue;
        r = read_value(section->items[i], owner, option, (char *)ret_values + option->offset,
                       error);
        if (r < 0)
            return r;
    }
    return check_required(table, section, owner, error);
}
