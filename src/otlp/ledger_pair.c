/* SPDX-License-Identifier: Apache-2.0
 *
 *   key    series 1 byte; instance, pipeline, node, port, to: each length 1 byte, bytes;
 *          start 8 bytes; mask 4 bytes
 *   value  end 8 bytes; is_last 1 byte; 8 bytes for each bit of the mask, lowest first
 *
 * Numbers little-endian. */
#include "otlp/ledger.h"

#include "codec/wire.h"

#include <errno.h>

enum { TEXTS = 5 };

static int put_number(struct ftri_bytes *out, uint64_t number, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    return ftri_bytes_append(out, bytes, size);
}

int ledger_write_key(const struct ledger_row *row, struct ftri_bytes *out)
{
    const ftr_str texts[TEXTS] = {row->instance, row->pipeline, row->node, row->port, row->to};
    int r = put_number(out, row->series, 1);
    for (size_t i = 0; r == 0 && i < TEXTS; i++) {
        r = put_number(out, texts[i].len, 1);
        if (r == 0)
            r = ftri_bytes_append_str(out, texts[i]);
    }
    if (r == 0)
        r = put_number(out, row->start_ns, 8);
    return r == 0 ? put_number(out, row->mask, 4) : r;
}

int ledger_write_value(const struct ledger_row *row, struct ftri_bytes *out)
{
    int r = put_number(out, row->end_ns, 8);
    if (r == 0)
        r = put_number(out, row->is_last, 1);
    for (size_t i = 0; r == 0 && i < LEDGER_COUNTERS; i++)
        if (row->mask & LEDGER_BIT(i))
            r = put_number(out, row->counters[i], 8);
    return r;
}

/* size 0: what was wrong sticks. */
static const uint8_t *take(struct ftri_view *rest, size_t size, bool *is_bad)
{
    *is_bad |= rest->len < size;
    if (*is_bad)
        return NULL;
    const uint8_t *taken = rest->data;
    *rest = ftri_view_of(rest->data + size, rest->len - size);
    return taken;
}

static uint64_t take_number(struct ftri_view *rest, size_t size, bool *is_bad)
{
    const uint8_t *bytes = take(rest, size, is_bad);
    uint64_t number = 0;
    for (size_t i = 0; bytes && i < size; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

static ftr_str take_text(struct ftri_view *rest, bool *is_bad)
{
    const size_t len = (size_t)take_number(rest, 1, is_bad);
    const char *text = (const char *)take(rest, len, is_bad);
    return text ? (ftr_str){text, len} : (ftr_str){"", 0};
}

int ledger_read_pair(struct ftri_view key, struct ftri_view value, struct ledger_row *ret_row)
{
    bool is_bad = false;
    struct ledger_row row = {.series = (enum ledger_series)take_number(&key, 1, &is_bad)};
    ftr_str *const texts[TEXTS] = {&row.instance, &row.pipeline, &row.node, &row.port, &row.to};
    for (size_t i = 0; i < TEXTS; i++)
        *texts[i] = take_text(&key, &is_bad);
    row.start_ns = take_number(&key, 8, &is_bad);
    row.mask = (uint32_t)take_number(&key, 4, &is_bad);
    row.end_ns = take_number(&value, 8, &is_bad);
    row.is_last = take_number(&value, 1, &is_bad) != 0;
    for (size_t i = 0; i < LEDGER_COUNTERS; i++)
        if (row.mask & LEDGER_BIT(i))
            row.counters[i] = take_number(&value, 8, &is_bad);
    if (is_bad || row.series > LEDGER_EDGE || key.len || value.len)
        return -EBADMSG;
    *ret_row = row;
    return 0;
}
