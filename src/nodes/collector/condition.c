/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/collector/condition.h"

#include "base/error.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void skip_spaces(struct collector_condition *self)
{
    self->next += strspn(self->next, " \t\r\n");
}

/* Takes the word if it stands next. */
static bool take(struct collector_condition *self, const char *word)
{
    skip_spaces(self);
    const size_t len = strlen(word);
    if (strncmp(self->next, word, len) != 0)
        return false;
    const bool is_name = isalnum((unsigned char)word[len - 1]) || word[len - 1] == '_';
    const char after = self->next[len];
    if (is_name && (isalnum((unsigned char)after) || after == '_'))
        return false;
    self->next += len;
    return true;
}

static int refuse(const struct collector_condition *self, struct ftri_error *error,
                  const char *expected)
{
    return ftri_error_set(error, -EINVAL,
                          "expected %s at '%.60s'; conditions are comparisons with == or != of "
                          "attributes[\"key\"], resource.attributes[\"key\"], name, status.code, "
                          "severity_number < LEVEL and IsMatch, joined by or",
                          expected, self->next);
}

/* A string in double quotes; \" and \\ stand for themselves. */
static int read_string(struct collector_condition *self, char ret_text[CONDITION_TEXT_BYTES],
                       struct ftri_error *error)
{
    size_t n = 0;
    if (!take(self, "\""))
        return refuse(self, error, "a text in double quotes");
    for (; *self->next && *self->next != '"'; self->next++) {
        if (*self->next == '\\' && *++self->next != '"' && *self->next != '\\')
            return ftri_error_set(error, -EINVAL,
                                  "in a text only \\\" and \\\\ may stand behind a backslash");
        if (n + 1 == CONDITION_TEXT_BYTES)
            return ftri_error_set(error, -EINVAL, "a text is longer than %d bytes",
                                  CONDITION_TEXT_BYTES - 1);
        ret_text[n++] = *self->next;
    }
    ret_text[n] = '\0';
    return take(self, "\"") ? 0 : refuse(self, error, "the end of a text, '\"',");
}

static int read_key(struct collector_condition *self, struct collector_comparison *comparison,
                    struct ftri_error *error)
{
    if (!take(self, "["))
        return refuse(self, error, "[\"key\"]");
    const int r = read_string(self, comparison->key, error);
    if (r < 0)
        return r;
    if (!comparison->key[0])
        return ftri_error_set(error, -EINVAL, "attributes[\"\"]: expected a key");
    return take(self, "]") ? 0 : refuse(self, error, "']'");
}

static int read_field(struct collector_condition *self, struct collector_comparison *comparison,
                      struct ftri_error *error)
{
    const bool is_resource = strcmp(self->context, "resource") == 0;
    const bool is_span = strcmp(self->context, "span") == 0;
    skip_spaces(self);
    const size_t len = strlen(self->context);
    if (strncmp(self->next, self->context, len) == 0 && self->next[len] == '.')
        self->next += len + 1;
    else if (take(self, "resource.attributes")) {
        comparison->subject = SUBJECT_RESOURCE_ATTRIBUTE;
        return read_key(self, comparison, error);
    }
    if (strcmp(self->context, "metric") != 0 && take(self, "attributes")) {
        comparison->subject = is_resource ? SUBJECT_RESOURCE_ATTRIBUTE : SUBJECT_ATTRIBUTE;
        return read_key(self, comparison, error);
    }
    if ((is_span || strcmp(self->context, "metric") == 0) && take(self, "name"))
        comparison->subject = SUBJECT_NAME;
    else if (is_span && take(self, "status.code"))
        comparison->subject = SUBJECT_STATUS;
    else if (strcmp(self->context, "log") == 0 && take(self, "severity_number"))
        comparison->subject = SUBJECT_SEVERITY;
    else
        return refuse(self, error, "a field");
    return 0;
}

/* What is written as theirs, and means ours. */
struct word {
    const char *theirs, *ours;
};

static const struct word statuses[] = {
    {"STATUS_CODE_UNSET", "unset"},
    {"STATUS_CODE_OK", "ok"},
    {"STATUS_CODE_ERROR", "error"},
    {"0", "unset"},
    {"1", "ok"},
    {"2", "error"},
};
static const struct word severities[] = {
    {"SEVERITY_NUMBER_TRACE", "trace"},
    {"SEVERITY_NUMBER_DEBUG", "debug"},
    {"SEVERITY_NUMBER_INFO", "info"},
    {"SEVERITY_NUMBER_WARN", "warn"},
    {"SEVERITY_NUMBER_ERROR", "error"},
    {"SEVERITY_NUMBER_FATAL", "fatal"},
    {"1", "trace"},
    {"5", "debug"},
    {"9", "info"},
    {"13", "warn"},
    {"17", "error"},
    {"21", "fatal"},
};

static int read_word(struct collector_condition *self, const struct word *words, size_t n,
                     char ret_text[CONDITION_TEXT_BYTES], struct ftri_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!take(self, words[i].theirs))
            continue;
        snprintf(ret_text, CONDITION_TEXT_BYTES, "%s", words[i].ours);
        return 0;
    }
    return refuse(self, error, words[0].theirs);
}

/* A whole number, true or false, as it is written. */
static int read_plain(struct collector_condition *self, char ret_text[CONDITION_TEXT_BYTES],
                      struct ftri_error *error)
{
    skip_spaces(self);
    const bool is_negative = *self->next == '-';
    const size_t n = is_negative + strspn(self->next + is_negative, "0123456789");
    const char *flag = take(self, "true") ? "true" : take(self, "false") ? "false" : NULL;
    if (flag) {
        snprintf(ret_text, CONDITION_TEXT_BYTES, "%s", flag);
        return 0;
    }
    if (n == (size_t)is_negative || n > 20 || self->next[n] == '.')
        return refuse(self, error, "a text, a whole number, true or false");
    memcpy(ret_text, self->next, n);
    ret_text[n] = '\0';
    self->next += n;
    return 0;
}

static int read_literal(struct collector_condition *self, struct collector_comparison *comparison,
                        struct ftri_error *error)
{
    if (comparison->subject == SUBJECT_STATUS)
        return read_word(self, statuses, FTRI_COUNT(statuses), comparison->text, error);
    skip_spaces(self);
    if (comparison->subject == SUBJECT_NAME || *self->next == '"')
        return read_string(self, comparison->text, error);
    return read_plain(self, comparison->text, error);
}

/* The ']' that ends what begins with this '[', or the text's end. */
static const char *end_of_set(const char *at)
{
    at += 1 + (at[1] == '^');
    at += *at == ']';
    while (*at && *at != ']') {
        const char *class_end = strncmp(at, "[:", 2) == 0 ? strstr(at, ":]") : NULL;
        at = class_end ? class_end + 2 : at + 1;
    }
    return at;
}

/* In a set a backslash stands for itself here, and there for the character behind it. */
static int check_set(const char **at, struct ftri_error *error)
{
    const char *const end = end_of_set(*at);
    if (memchr(*at, '\\', (size_t)(end - *at)))
        return ftri_error_set(error, -EINVAL,
                              "a backslash between [ and ] in a pattern is not supported; write "
                              "[.] for a point, and put ] first and - last");
    *at = *end ? end : end - 1;
    return 0;
}

/* Behind a backslash: letters are classes and places there, these four are places here. */
static int check_escape(char c, struct ftri_error *error)
{
    if (!c || isalnum((unsigned char)c))
        return ftri_error_set(error, -EINVAL,
                              "'\\%c' in a pattern is not supported; write [0-9], [[:space:]] "
                              "and the like",
                              c ? c : ' ');
    if (strchr("<>`'", c))
        return ftri_error_set(error, -EINVAL,
                              "'\\%c' in a pattern is not supported; write [%c] for the character",
                              c, c);
    return 0;
}

/* Patterns there are RE2's, here POSIX': what only RE2 has is refused, the rest means the same. */
static int check_pattern(const char *pattern, struct ftri_error *error)
{
    int r = 0;
    for (const char *at = pattern; r == 0 && *at; at++) {
        if (at[0] == '[')
            r = check_set(&at, error);
        else if (at[0] == '\\')
            r = check_escape(*++at, error);
        else if (strncmp(at, "(?", 2) == 0 ||
                 (strchr("*+?}", at[0]) && strchr("?+*", at[1]) && at[1]))
            r = ftri_error_set(error, -EINVAL, "'%.2s' in a pattern is not supported", at);
    }
    return r;
}

static int read_match(struct collector_condition *self, struct collector_comparison *comparison,
                      struct ftri_error *error)
{
    comparison->is_pattern = true;
    if (!take(self, "("))
        return refuse(self, error, "'('");
    int r = read_field(self, comparison, error);
    if (r < 0)
        return r;
    if (comparison->subject == SUBJECT_STATUS || comparison->subject == SUBJECT_SEVERITY)
        return ftri_error_set(error, -EINVAL, "IsMatch is for attributes and names");
    if (!take(self, ","))
        return refuse(self, error, "','");
    r = read_string(self, comparison->text, error);
    if (r == 0 && !comparison->text[0])
        r = ftri_error_set(error, -EINVAL,
                           "IsMatch: an empty pattern fits everything; leave it out");
    if (r == 0)
        r = check_pattern(comparison->text, error);
    if (r < 0)
        return r;
    return take(self, ")") ? 0 : refuse(self, error, "')'");
}

static int read_comparison(struct collector_condition *self,
                           struct collector_comparison *comparison, struct ftri_error *error)
{
    if (take(self, "IsMatch"))
        return read_match(self, comparison, error);
    const int r = read_field(self, comparison, error);
    if (r < 0)
        return r;
    if (comparison->subject == SUBJECT_SEVERITY) {
        if (!take(self, "<") || *self->next == '=')
            return refuse(self, error, "'<'");
        return read_word(self, severities, FTRI_COUNT(severities), comparison->text, error);
    }
    comparison->is_negated = take(self, "!=");
    if (!comparison->is_negated && !take(self, "=="))
        return refuse(self, error, "== or !=");
    return read_literal(self, comparison, error);
}

int collector_condition_next(struct collector_condition *self,
                             struct collector_comparison *ret_comparison, struct ftri_error *error)
{
    skip_spaces(self);
    if (!*self->next)
        return 0;
    *ret_comparison = (struct collector_comparison){0};
    const int r = read_comparison(self, ret_comparison, error);
    if (r < 0)
        return r;
    skip_spaces(self);
    if (!*self->next)
        return 1;
    if (!take(self, "or"))
        return refuse(self, error, "or");
    skip_spaces(self);
    return *self->next ? 1 : refuse(self, error, "a comparison");
}
