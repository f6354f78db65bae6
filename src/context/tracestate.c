/* SPDX-License-Identifier: Apache-2.0
 *
 *     list   = member *31( OWS "," OWS member )       member = key "=" value, or nothing
 *     key    = ( lcalpha / DIGIT ) 0*255( lcalpha / DIGIT / "_" / "-" / "*" / "/" / "@" )
 *     value  = 0*255( printable but "," and "=" ) and a last one that is not a space */
#include "context/tracestate.h"

#include "base/text.h"

#include <string.h>

enum { KEY_MAX = 256, VALUE_MAX = 256, LONG_MEMBER = 128 };

struct member {
    ftr_str text;
    size_t key_len;
};

static bool is_key_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_key_char(char c)
{
    return is_key_start(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
}

static bool is_key(ftr_str key)
{
    if (key.len == 0 || key.len > KEY_MAX || !is_key_start(key.data[0]))
        return false;
    for (size_t i = 1; i < key.len; i++)
        if (!is_key_char(key.data[i]))
            return false;
    return true;
}

static bool is_value(ftr_str value)
{
    if (value.len == 0 || value.len > VALUE_MAX || value.data[value.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ' || value.data[i] > '~' || value.data[i] == '=')
            return false;
    return true;
}

static bool read_member(ftr_str text, struct member *ret_member)
{
    const char *equals = memchr(text.data, '=', text.len);
    if (!equals)
        return false;
    const size_t key_len = (size_t)(equals - text.data);
    if (!is_key((ftr_str){text.data, key_len}) ||
        !is_value((ftr_str){equals + 1, text.len - key_len - 1}))
        return false;
    *ret_member = (struct member){text, key_len};
    return true;
}

static bool has_key(const struct member *members, size_t n, const struct member *wanted)
{
    for (size_t i = 0; i < n; i++)
        if (members[i].key_len == wanted->key_len &&
            memcmp(members[i].text.data, wanted->text.data, wanted->key_len) == 0)
            return true;
    return false;
}

/* Splits at commas; false at the first malformed member or the 33rd one. */
static bool read_members(ftr_str header, struct member members[FTRI_TRACESTATE_MEMBERS],
                         size_t *ret_n)
{
    size_t n = 0;
    size_t n_seen = 0;
    for (size_t at = 0; at <= header.len;) {
        const char *start = header.data + at;
        const char *comma = memchr(start, ',', header.len - at);
        const size_t len = comma ? (size_t)(comma - start) : header.len - at;
        at += len + 1;
        const ftr_str text = ftri_trim((ftr_str){start, len});
        if (text.len == 0)
            continue;
        struct member member;
        if (++n_seen > FTRI_TRACESTATE_MEMBERS || !read_member(text, &member))
            return false;
        if (!has_key(members, n, &member))
            members[n++] = member;
    }
    *ret_n = n;
    return true;
}

static void remove_member(struct member *members, size_t *n, size_t i)
{
    memmove(members + i, members + i + 1, (*n - i - 1) * sizeof *members);
    (*n)--;
}

static size_t total_len(const struct member *members, size_t n)
{
    size_t len = n ? n - 1 : 0;
    for (size_t i = 0; i < n; i++)
        len += members[i].text.len;
    return len;
}

static void shorten(struct member *members, size_t *n)
{
    for (size_t i = *n; i > 0 && total_len(members, *n) > FTRI_TRACESTATE_MAX; i--)
        if (members[i - 1].text.len > LONG_MEMBER)
            remove_member(members, n, i - 1);
    while (total_len(members, *n) > FTRI_TRACESTATE_MAX)
        (*n)--;
}

static size_t write_members(const struct member *members, size_t n,
                            char ret_text[FTRI_TRACESTATE_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ret_text[len++] = ',';
        memcpy(ret_text + len, members[i].text.data, members[i].text.len);
        len += members[i].text.len;
    }
    return len;
}

bool ftri_tracestate_read(ftr_str header, char ret_text[FTRI_TRACESTATE_MAX], size_t *ret_len)
{
    struct member members[FTRI_TRACESTATE_MEMBERS];
    size_t n = 0;
    if (!header.data || !read_members(header, members, &n))
        return false;
    shorten(members, &n);
    *ret_len = write_members(members, n, ret_text);
    return true;
}

static bool is_of_key(ftr_str member, ftr_str key)
{
    return member.len > key.len && member.data[key.len] == '=' &&
           memcmp(member.data, key.data, key.len) == 0;
}

ftr_str ftri_tracestate_find(ftr_str list, ftr_str key)
{
    for (ftr_str member; ftri_text_split(&list, ',', &member);)
        if (is_of_key(member, key))
            return (ftr_str){member.data + key.len + 1, member.len - key.len - 1};
    return (ftr_str){NULL, 0};
}

size_t ftri_tracestate_put(ftr_str list, ftr_str key, ftr_str value,
                           char ret_text[FTRI_TRACESTATE_MAX])
{
    char room[KEY_MAX + 1 + VALUE_MAX];
    struct member members[FTRI_TRACESTATE_MEMBERS];
    size_t n = 0;
    if (value.len > 0) {
        memcpy(room, key.data, key.len);
        room[key.len] = '=';
        memcpy(room + key.len + 1, value.data, value.len);
        members[n++] = (struct member){{room, key.len + 1 + value.len}, key.len};
    }
    for (ftr_str text; n < FTRI_TRACESTATE_MEMBERS && ftri_text_split(&list, ',', &text);)
        if (!is_of_key(text, key))
            members[n++] = (struct member){.text = text};
    shorten(members, &n);
    return write_members(members, n, ret_text);
}
