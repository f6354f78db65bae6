/* SPDX-License-Identifier: Apache-2.0 */
#include "config/expand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256 };

static const char scheme[] = "env:";

bool config_needs_expansion(ftr_str text)
{
    return text.len && memchr(text.data, '$', text.len) != NULL;
}

static bool is_name(ftr_str text)
{
    if (text.len == 0 || text.len >= NAME_BYTES_MAX || (text.data[0] >= '0' && text.data[0] <= '9'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

/* NAME or NAME:-default, of whatever name; others name a source, as in ${file:...}. */
static bool is_reference(ftr_str text)
{
    const char *colon = text.len ? memchr(text.data, ':', text.len) : NULL;
    return text.len && (!colon || (colon + 1 < text.data + text.len && colon[1] == '-'));
}

/* The value of NAME or NAME:-default. */
static int look_up(ftr_str reference, struct ftri_bytes *ret_text, struct ftri_error *error)
{
    const char *separator = memmem(reference.data, reference.len, ":-", 2);
    const ftr_str wanted = {reference.data,
                            separator ? (size_t)(separator - reference.data) : reference.len};
    if (!is_name(wanted))
        return ftri_error_set(error, -EINVAL, "'%.*s' is not the name of an environment variable",
                              (int)ftri_size_min(wanted.len, 64), wanted.data);
    char name[NAME_BYTES_MAX];
    memcpy(name, wanted.data, wanted.len);
    name[wanted.len] = '\0';
    const char *value = getenv(name);
    if (value && (value[0] || !separator))
        return ftri_bytes_append(ret_text, value, strlen(value));
    if (!separator)
        return ftri_error_set(error, -EINVAL,
                              "the environment variable %s is not set; ${env:%s:-default} gives it "
                              "a default",
                              name, name);
    const char *fallback = separator + 2;
    return ftri_bytes_append(ret_text, fallback,
                             (size_t)(reference.data + reference.len - fallback));
}

/* *next stands on a dollar sign; moves it behind what was replaced. */
static int expand_one(const char **next, const char *end, struct ftri_bytes *ret_text,
                      struct ftri_error *error)
{
    const char *at = *next;
    const size_t left = (size_t)(end - at);
    if (left < 2 || (at[1] != '$' && at[1] != '{')) {
        *next = at + 1;
        return ftri_bytes_append_char(ret_text, '$');
    }
    if (at[1] == '$') {
        *next = at + 2;
        return ftri_bytes_append_char(ret_text, '$');
    }
    const char *close = memchr(at, '}', left);
    if (!close)
        return ftri_error_set(error, -EINVAL, "'${' without a closing '}'; $$ is a dollar sign");
    ftr_str reference = {at + 2, (size_t)(close - at) - 2};
    if (memmem(reference.data, reference.len, "${", 2))
        return ftri_error_set(error, -EINVAL,
                              "'${' within '${...}' is not replaced: name one variable; $$ is a "
                              "dollar sign");
    const size_t skip = sizeof scheme - 1;
    if (reference.len >= skip && memcmp(reference.data, scheme, skip) == 0)
        reference = (ftr_str){reference.data + skip, reference.len - skip};
    else if (!is_reference(reference))
        return ftri_error_set(error, -EINVAL,
                              "only ${env:NAME} and ${env:NAME:-default}, or without env:, are "
                              "replaced; $$ is a dollar sign");
    *next = close + 1;
    return look_up(reference, ret_text, error);
}

int config_expand(ftr_str text, struct ftri_bytes *ret_text, struct ftri_error *error)
{
    const char *next = text.data;
    const char *const end = text.data + text.len;
    while (next < end) {
        const char *dollar = memchr(next, '$', (size_t)(end - next));
        const size_t plain = (size_t)((dollar ? dollar : end) - next);
        int r = ftri_bytes_append(ret_text, next, plain);
        next += plain;
        if (r == 0 && dollar)
            r = expand_one(&next, end, ret_text, error);
        if (r < 0)
            return r == -EINVAL ? r : ftri_error_errno(error, r, "replacing ${env:...}");
    }
    return 0;
}
