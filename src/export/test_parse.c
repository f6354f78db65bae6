/* SPDX-License-Identifier: Apache-2.0
 *
 *     tree = { span }      span = name [ "(" { detail } ")" ] [ "{" tree "}" ]
 *
 * White space separates, and is otherwise ignored. Names are bare words or JSON strings; a detail
 * is taken as it is written, with what is in quotes or in brackets together. */
#include "codec/json_reader.h"
#include "export/test_tree.h"

#include <errno.h>
#include <string.h>

enum { DETAILS_MAX = 256 };

struct parser {
    struct ftri_test_tree *tree;
    const char *text;
    size_t at;
};

static char peek(struct parser *self)
{
    while (self->text[self->at] != '\0' && (unsigned char)self->text[self->at] <= ' ')
        self->at++;
    return self->text[self->at];
}

/* Behind the closing quote of the string that begins at `at`; 0: there is none. */
static size_t skip_string(const char *text, size_t at)
{
    for (at++; text[at] != '\0' && text[at] != '"'; at++)
        if (text[at] == '\\' && text[at + 1] != '\0')
            at++;
    return text[at] == '"' ? at + 1 : 0;
}

/* A JSON string, written in the form of names. */
static int take_string(struct parser *self, struct ftri_bytes *out)
{
    const size_t end = skip_string(self->text, self->at);
    if (end == 0)
        return -EBADMSG;
    struct ftri_json_reader reader;
    ftri_json_reader_init(&reader, ftri_view_of(self->text + self->at, end - self->at));
    int rc = ftri_json_reader_next(&reader);
    if (rc == FTRI_JSON_STRING)
        rc = ftri_test_write_name(out, reader.text);
    ftri_json_reader_deinit(&reader);
    if (rc == 0)
        self->at = end;
    return rc;
}

static int take_name(struct parser *self, struct ftri_bytes *out)
{
    if (peek(self) == '"')
        return take_string(self, out);
    const size_t begin = self->at;
    while (self->text[self->at] != '\0' && !ftri_test_is_special(self->text[self->at]))
        self->at++;
    if (self->at == begin)
        return -EBADMSG;
    return ftri_bytes_append(out, self->text + begin, self->at - begin);
}

static int take_detail(struct parser *self, ftr_str *ret_detail)
{
    const size_t begin = self->at;
    size_t depth = 0;
    for (;;) {
        const char c = self->text[self->at];
        if (c == '\0')
            return -EBADMSG;
        if (depth == 0 && (c == ')' || (unsigned char)c <= ' '))
            break;
        depth += c == '[' || c == '{';
        depth -= depth > 0 && (c == ']' || c == '}');
        const size_t next = c == '"' ? skip_string(self->text, self->at) : self->at + 1;
        if (next == 0)
            return -EBADMSG;
        self->at = next;
    }
    *ret_detail = (ftr_str){self->text + begin, self->at - begin};
    return 0;
}

/* Behind the opening bracket. */
static int take_details(struct parser *self, struct ftri_bytes *out)
{
    ftr_str details[DETAILS_MAX];
    size_t n = 0;
    while (peek(self) != ')') {
        if (n == DETAILS_MAX)
            return -EBADMSG;
        const int rc = take_detail(self, &details[n++]);
        if (rc < 0)
            return rc;
    }
    self->at++;
    return ftri_test_write_details(out, details, n);
}

static int take_label(struct parser *self, struct ftri_bytes *out, ftr_str *ret_label)
{
    int rc = take_name(self, out);
    if (rc == 0 && peek(self) == '(') {
        self->at++;
        rc = take_details(self, out);
    }
    if (rc < 0)
        return rc;
    *ret_label = ftri_arena_copy(&self->tree->arena, ftri_view_str(ftri_bytes_view(out)));
    return ret_label->data ? 0 : -ENOMEM;
}

static int take_span(struct parser *self, struct ftri_test_node *parent,
                     struct ftri_test_node **ret_node)
{
    struct ftri_bytes text;
    ftr_str label;
    ftri_bytes_init(&text, (size_t)1 << 20);
    const int rc = take_label(self, &text, &label);
    ftri_bytes_deinit(&text);
    if (rc < 0)
        return rc;
    if (parent->depth == FTRI_TEST_DEPTH_MAX)
        return -EBADMSG;
    *ret_node = ftri_test_tree_add(self->tree, parent, label);
    return *ret_node ? 0 : -ENOMEM;
}

int ftri_test_tree_parse(struct ftri_test_tree *self, const char *text, size_t *ret_offset)
{
    struct parser parser = {.tree = self, .text = text};
    struct ftri_test_node *open[FTRI_TEST_DEPTH_MAX + 1] = {&self->top};
    struct ftri_test_node *node = NULL; /* that a brace would open */
    size_t depth = 0;
    int rc = 0;
    for (char c; rc == 0 && (c = peek(&parser)) != '\0';) {
        if (c == '{' && node) {
            open[++depth] = node;
            node = NULL;
            parser.at++;
        } else if (c == '}' && depth > 0) {
            depth--;
            node = NULL;
            parser.at++;
        } else {
            rc = take_span(&parser, open[depth], &node);
        }
    }
    *ret_offset = parser.at;
    return rc == 0 && depth > 0 ? -EBADMSG : rc;
}
