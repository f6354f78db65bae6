/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns are POSIX extended regular expressions without back references: those make matching
 * take exponential time, and the text comes from outside. */
#include "nodes/processors/criteria.h"

#include "base/error.h"
#include "base/text.h"
#include "codec/json_number.h"
#include "config/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)CRITERIA_NUMBER_BYTES >= (int)FTRI_JSON_F64_BYTES, "room for every number");

static bool has_back_reference(const char *pattern)
{
    for (; *pattern; pattern++)
        if (pattern[0] == '\\' && pattern[1]) {
            if (pattern[1] >= '1' && pattern[1] <= '9')
                return true;
            pattern++;
        }
    return false;
}

static int compile(const char *option, const char *pattern, regex_t *ret_regex,
                   struct ftri_error *error)
{
    char why[128];
    if (has_back_reference(pattern))
        return ftri_error_set(error, -EINVAL, "%s: back references are not supported", option);
    const int r = regcomp(ret_regex, pattern, REG_EXTENDED | REG_NOSUB);
    if (r == 0)
        return 0;
    regerror(r, ret_regex, why, sizeof why);
    return ftri_error_set(error, r == REG_ESPACE ? -ENOMEM : -EINVAL, "%s: %s", option, why);
}

static int check(const struct criteria_options *options, struct ftri_error *error)
{
    const bool has_values = options->values != NULL;
    if (options->min > options->max)
        return ftri_error_set(error, -EINVAL, "min is greater than max: nothing would pass");
    if (!options->attribute[0] && (has_values || options->matches[0] || options->is_required))
        return ftri_error_set(error, -EINVAL,
                              "values, matches and required are about an attribute; name it");
    if (!options->attribute[0] && !options->name[0] && !options->status && !options->min_severity)
        return ftri_error_set(error, -EINVAL,
                              "expected attribute, name, status or min_severity: there is nothing "
                              "to filter by");
    if (has_values && config_size(options->values) == 0)
        return config_error(options->values, error, -EINVAL, "values: expected at least one");
    for (size_t i = 0; has_values && i < config_size(options->values); i++)
        if (config_kind(config_item(options->values, i)) != CONFIG_SCALAR)
            return config_error(config_item(options->values, i), error, -EINVAL,
                                "values: expected texts, numbers, true or false");
    return 0;
}

int criteria_init(struct criteria *self, const struct criteria_options *options,
                  struct ftri_error *error)
{
    const bool is_range_set = options->min != 0 || options->max != INT64_MAX;
    *self = (struct criteria){.options = options};
    self->has_range = is_range_set || (!options->values && !options->matches[0]);
    int r = check(options, error);
    if (r == 0 && options->matches[0]) {
        r = compile("matches", options->matches, &self->matches, error);
        self->has_matches = r == 0;
    }
    if (r == 0 && options->name[0]) {
        r = compile("name", options->name, &self->name, error);
        self->has_name = r == 0;
    }
    if (r < 0)
        criteria_deinit(self);
    return r;
}

void criteria_deinit(struct criteria *self)
{
    if (self->has_matches)
        regfree(&self->matches);
    if (self->has_name)
        regfree(&self->name);
    self->has_matches = self->has_name = false;
}

static bool matches(const regex_t *regex, ftr_str text)
{
    regmatch_t all = {.rm_so = 0, .rm_eo = (regoff_t)text.len};
    return regexec(regex, text.data ? text.data : "", 1, &all, REG_STARTEND) == 0;
}

bool criteria_text_of(const ftr_value *value, char room[CRITERIA_NUMBER_BYTES], ftr_str *ret_text)
{
    switch (value->type) {
    case FTR_VALUE_STR:
        *ret_text = value->as.str;
        return true;
    case FTR_VALUE_BOOL:
        *ret_text = value->as.boolean ? FTR_STR("true") : FTR_STR("false");
        return true;
    case FTR_VALUE_I64:
        *ret_text = (ftr_str){
            room, (size_t)snprintf(room, CRITERIA_NUMBER_BYTES, "%lld", (long long)value->as.i64)};
        return true;
    case FTR_VALUE_F64:
        if (value->as.f64 - value->as.f64 != 0) /* not finite */
            return false;
        *ret_text = (ftr_str){room, ftri_json_format_f64(value->as.f64, room)};
        return true;
    default:
        return false;
    }
}

static bool is_among(const struct config_value *values, ftr_str text)
{
    for (size_t i = 0; i < config_size(values); i++)
        if (ftri_text_is(text, config_text(config_item(values, i))))
            return true;
    return false;
}

static bool test_attribute(const struct criteria *self, const ftr_value *value)
{
    const struct criteria_options *options = self->options;
    char room[CRITERIA_NUMBER_BYTES];
    ftr_str text;
    if (value->type == FTR_VALUE_I64 && self->has_range &&
        (value->as.i64 < (int64_t)options->min || value->as.i64 > (int64_t)options->max))
        return false;
    if (!options->values && !self->has_matches)
        return true;
    if (!criteria_text_of(value, room, &text))
        return false;
    return (!options->values || is_among(options->values, text)) &&
           (!self->has_matches || matches(&self->matches, text));
}

enum condition_result criteria_test(const struct criteria *self,
                                    const struct condition_subject *subject)
{
    static const int32_t least[] = {0, 1, 5, 9, 13, 17, 21};
    const struct criteria_options *options = self->options;
    if ((self->has_name && !matches(&self->name, subject->name)) ||
        (options->status && subject->is_span && subject->status != options->status - 1) ||
        (subject->is_log && subject->severity < least[options->min_severity]))
        return CONDITION_FALSE;
    if (!options->attribute[0])
        return CONDITION_TRUE;
    if (!subject->attribute)
        return options->is_required ? CONDITION_FALSE : CONDITION_UNKNOWN;
    return test_attribute(self, subject->attribute) ? CONDITION_TRUE : CONDITION_FALSE;
}
