/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_target.h"

#include "base/hex.h"

#include <errno.h>
#include <string.h>

static ftr_str part(const char *start, const char *end)
{
    return (ftr_str){start, (size_t)(end - start)};
}

/* Where the path of an absolute-form target begins. */
static const char *skip_authority(ftr_str target)
{
    const char *end = target.data + target.len;
    const char *colon = memchr(target.data, ':', target.len);
    if (!colon || end - colon < 3)
        return end;
    const char *start = colon + 3;
    while (start < end && *start != '/' && *start != '?')
        start++;
    return start;
}

struct http_target http_target_cut(ftr_str target)
{
    const char *end = target.data + target.len;
    const bool is_absolute = target.len > 0 && target.data[0] != '/' && target.data[0] != '*';
    const char *start = is_absolute ? skip_authority(target) : target.data;
    const char *question = memchr(start, '?', (size_t)(end - start));
    struct http_target cut = {.path = part(start, question ? question : end)};
    if (cut.path.len == 0)
        cut.path = FTR_STR("/");
    if (question)
        cut.query = part(question + 1, end);
    return cut;
}

/* Decodes one escape at text[0] == '%'. */
static int append_escape(ftr_str text, struct ftri_bytes *out)
{
    uint8_t byte = 0;
    if (text.len < 3 || !ftri_hex_decode(text.data + 1, 1, &byte) || byte == 0)
        return -EBADMSG;
    return ftri_bytes_append(out, &byte, 1);
}

static int decode(ftr_str encoded, bool is_form, struct ftri_bytes *out)
{
    for (size_t i = 0; i < encoded.len; i++) {
        const char c = encoded.data[i];
        int r = 0;
        if (c == '%') {
            r = append_escape((ftr_str){encoded.data + i, encoded.len - i}, out);
            i += 2;
        } else {
            r = ftri_bytes_append_char(out, is_form && c == '+' ? ' ' : c);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int http_target_decode(ftr_str encoded, struct ftri_bytes *out)
{
    return decode(encoded, false, out);
}

/* Without memory: a name that cannot be looked at must not count as another one. */
static bool decodes_to(ftr_str encoded, const char *name)
{
    size_t i = 0;
    for (; *name && i < encoded.len; name++) {
        uint8_t byte = (uint8_t)encoded.data[i++];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (encoded.len - i < 2 || !ftri_hex_decode(encoded.data + i, 1, &byte))
                return false;
            i += 2;
        }
        if (byte != (uint8_t)*name)
            return false;
    }
    return *name == '\0' && i == encoded.len;
}

int http_target_parameter_next(ftr_str query, const char *name, size_t *next,
                               struct ftri_bytes *out)
{
    ftri_bytes_reset(out);
    while (*next < query.len) {
        const char *const start = query.data + *next;
        const char *const end = query.data + query.len;
        const char *const separator = memchr(start, '&', (size_t)(end - start));
        const char *const stop = separator ? separator : end;
        const char *const equals = memchr(start, '=', (size_t)(stop - start));
        *next = (size_t)(stop - query.data) + 1;
        if (decodes_to(part(start, equals ? equals : stop), name)) {
            const int r = equals ? decode(part(equals + 1, stop), true, out) : 0;
            return r < 0 ? r : HTTP_TARGET_PARAMETER;
        }
    }
    return 0;
}

bool http_target_parameter(ftr_str query, const char *name, struct ftri_bytes *out)
{
    size_t next = 0;
    return http_target_parameter_next(query, name, &next, out) == HTTP_TARGET_PARAMETER;
}
