/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/text_name.h"

#include "base/text.h"
#include "metrics/metric.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain(char c, bool takes_colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           (takes_colon && c == ':');
}

static char plain(char c, bool takes_colon)
{
    return is_plain(c, takes_colon) ? c : '_';
}

int ftri_text_label_name(ftr_str key, struct ftri_bytes *out)
{
    int r = 0;
    if (key.len == 0 || is_digit(key.data[0]))
        r = ftri_bytes_append_char(out, '_');
    for (size_t i = 0; i < key.len && r == 0; i++)
        r = ftri_bytes_append_char(out, plain(key.data[i], false));
    return r;
}

bool ftri_text_same_label(ftr_str a, ftr_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (plain(a.data[i], false) != plain(b.data[i], false))
            return false;
    return true;
}

ftr_str ftri_text_unit(ftr_str unit)
{
    static const struct {
        const char *short_name;
        ftr_str name;
    } rows[] = {
        {"s", {"seconds", 7}},        {"ms", {"milliseconds", 12}},
        {"us", {"microseconds", 12}}, {"ns", {"nanoseconds", 11}},
        {"min", {"minutes", 7}},      {"h", {"hours", 5}},
        {"By", {"bytes", 5}},         {"1", {"", 0}},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        if (ftri_text_is(unit, rows[i].short_name))
            return rows[i].name;
    for (size_t i = 0; i < unit.len; i++)
        if (!is_plain(unit.data[i], false))
            return (ftr_str){"", 0};
    return unit;
}

static bool ends_with(ftr_str text, ftr_str end)
{
    return text.len >= end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static int append_plain(ftr_str name, struct ftri_bytes *out)
{
    const size_t begin = out->len;
    int r = 0;
    if (name.len == 0 || is_digit(name.data[0]))
        r = ftri_bytes_append_char(out, '_');
    for (size_t i = 0; i < name.len && r == 0; i++) {
        const char c = plain(name.data[i], true);
        const bool is_second = out->len > begin && c == '_' && out->data[out->len - 1] == '_';
        r = is_second ? 0 : ftri_bytes_append_char(out, c);
    }
    return r;
}

int ftri_text_family_name(const struct ftri_metric *metric, struct ftri_bytes *out)
{
    static const ftr_str total = {"_total", 6};
    const size_t begin = out->len;
    int r = append_plain(metric->name, out);
    if (r < 0)
        return r;
    const ftr_str unit = ftri_text_unit(metric->unit);
    ftr_str written = {(const char *)out->data + begin, out->len - begin};
    if (metric->kind == FTRI_METRIC_SUM && metric->sum != FTRI_SUM_LEVEL &&
        ends_with(written, total))
        written.len -= total.len;
    out->len = begin + written.len;
    if (unit.len == 0 || (ends_with(written, unit) && written.len > unit.len &&
                          written.data[written.len - unit.len - 1] == '_'))
        return r;
    r = ftri_bytes_append_char(out, '_');
    return r < 0 ? r : ftri_bytes_append_str(out, unit);
}
