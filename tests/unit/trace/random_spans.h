/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests share that record spans of every kind: call sites and names, values set at once and
 * one by one, of all types and lengths, over and over. */
#pragma once

#include <flowtrace/flowtrace.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

enum { SITES = 24, TRACE_SPANS = 65 };

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % n;
}

/* Of any length, mostly short; ASCII, other characters, and now and then no text at all. */
static ftr_str random_text(char *room, size_t most)
{
    static const char *const pieces[] = {
        "a", "key.", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff"};
    const uint32_t n_pieces = below(8) ? 2 : 5 + (below(60) == 0);
    const size_t len = below(3) ? below(20) : below((uint32_t)most - 8);
    ftr_str text = {room, 0};
    while (text.len < len) {
        const char *piece = pieces[below(n_pieces)];
        memcpy(room + text.len, piece, strlen(piece));
        text.len += strlen(piece);
    }
    return text;
}

static ftr_value random_value(char *room, size_t most)
{
    static const int64_t numbers[] = {0, 1, -1, 127, 128, 300, INT64_MAX, INT64_MIN};
    switch (below(below(10) ? 7 : 8)) {
    case 0:
        return ftr_value_i64(numbers[below(8)]);
    case 1:
        return ftr_value_f64((double)below(1000) / 7);
    case 2:
        return ftr_value_bool(below(2) == 1);
    case 7:
        return ftr_value_bytes("\0\xff", 2);
    default:
        return ftr_value_str(random_text(room, most));
    }
}

struct place {
    char texts[1 + 12][80];
    ftr_str names[12];
    ftr_call_site site;
    ftr_keys keys;
};

static struct place places[SITES];

static void make_places(void)
{
    for (size_t i = 0; i < SITES; i++) {
        struct place *place = &places[i];
        place->site.kind = (ftr_span_kind)below(6);
        place->site.name = random_text(place->texts[0], 70);
        place->keys = (ftr_keys){0, 1 + below(12), place->names};
        for (uint32_t k = 0; k < place->keys.n_keys; k++) {
            place->names[k] = random_text(place->texts[1 + k], 70);
            place->texts[1 + k][place->names[k].len] = (char)('a' + k); /* mostly different */
            place->names[k].len++;
        }
    }
}

static void set_values(ftr_span span, struct place *place, bool at_end)
{
    static char texts[12][800];
    ftr_value values[12];
    const size_t most = below(10) ? 70 : 700;
    for (uint32_t i = 0; i < place->keys.n_keys; i++)
        values[i] = random_value(texts[i], most);
    if (at_end)
        ftr_span_end_values(span, &place->keys, values);
    else
        ftr_span_set_values(span, &place->keys, values);
}

static void set_attributes(ftr_span span)
{
    static const uint32_t counts[] = {0, 1, 4, 4, 10, 10, 60, 140};
    char key[100];
    char value[800];
    const uint32_t n = counts[below(8)];
    for (uint32_t i = 0; i < n; i++) {
        ftr_str name = random_text(key, 90);
        if (below(20)) { /* a key of its own */
            name.len += (size_t)snprintf(key + name.len, 8, "%u", i);
        }
        const ftr_value random = random_value(value, below(10) ? 70 : 700);
        ftr_span_set(span, name, &random);
    }
}

static ftr_span begin_random(struct place *place, const ftr_context *parent)
{
    ftr_context remote = *parent;
    const bool is_remote = below(5) == 0;
    remote.span.is_remote = is_remote;
    const ftr_context *below_this = below(4) ? (is_remote ? &remote : parent) : NULL;
    if (below(2))
        return ftr_span_start_site(&place->site, below_this);
    return ftr_span_start(place->site.name, place->site.kind, below_this);
}

static void record_random(const ftr_context *parent)
{
    struct place *place = &places[below(SITES)];
    const ftr_span span = begin_random(place, parent);
    for (uint32_t what = below(8); what > 0; what >>= 1)
        if (what & 1)
            below(2) ? set_values(span, place, false) : set_attributes(span);
    if (below(4) == 0)
        ftr_span_set_status(span, below(2) ? FTR_SPAN_OK : FTR_SPAN_ERROR,
                            below(2) ? FTR_STR("why") : FTR_STR(""));
    if (below(10) == 0)
        ftr_span_event(span, FTR_STR("event"), NULL, 0);
    if (below(10) == 0)
        ftr_span_link(span, parent, NULL, 0);
    if (below(10) == 0)
        ftr_span_set_name(span, FTR_STR("renamed"));
    if (below(10) == 0)
        ftr_span_end_at(span, below(2) ? 1 : UINT64_C(4000000000) * SECOND);
    else if (below(3) == 0)
        set_values(span, place, true);
    else
        ftr_span_end(span);
}

/* A root and all others below it. */
static void record_random_trace(void)
{
    const ftr_span root = ftr_span_start(FTR_STR("root"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    for (int i = 1; i < TRACE_SPANS; i++)
        record_random(&context);
    ftr_span_end(root);
    ftr_context_release(&context);
}
