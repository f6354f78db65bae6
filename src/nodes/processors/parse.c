/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/parse: replaces each record's content by what it says about it: `size`, `sha256`,
 * `kind`, `lines`, and for a package log the number of installed and removed packages. gzip content
 * is unpacked (bounded) before its lines are counted; the hash is that of the bytes as they came.
 * A record that does not parse as its kind is kept, with `error` saying why. */
#include "nodes/processors/processors.h"

#include "base/hex.h"
#include "capture/sha256.h"
#include "codec/gzip.h"
#include "engine/records.h"
#include "nodes/intake.h"

#include <errno.h>
#include <string.h>

enum kind { KIND_TEXT, KIND_GZIP, KIND_PACKAGE_LOG, KIND_BINARY };

static const char *const kind_names[] = {"text", "gzip", "package_log", "binary", NULL};

struct parse_options {
    int kind;
    uint64_t max_unpacked_bytes;
};

static const struct option rows[] = {
    {"kind", OPTION_CHOICE, offsetof(struct parse_options, kind), "text", .choices = kind_names,
     .sentence = "What the records contain."},
    {"max_unpacked", OPTION_BYTES, offsetof(struct parse_options, max_unpacked_bytes), "256MiB",
     .min = 1024, .max = UINT64_C(1) << 32, .sentence = "Largest unpacked size of one record."},
};

enum { ATTRIBUTES_MAX = 8 };

struct parsed {
    ftr_attribute attributes[ATTRIBUTES_MAX];
    size_t n_attributes;
    char digest[FTRI_SHA256_HEX_BYTES];
};

static void add(struct parsed *self, ftr_str key, ftr_value value)
{
    assert(self->n_attributes < ATTRIBUTES_MAX);
    self->attributes[self->n_attributes++] = (ftr_attribute){key, value};
}

static int64_t count_lines(struct ftri_view text)
{
    int64_t n = 0;
    const uint8_t *next = text.data;
    const uint8_t *const end = text.data + text.len;
    while (next < end && (next = memchr(next, '\n', (size_t)(end - next)))) {
        n++;
        next++;
    }
    return n;
}

static int64_t count_word(struct ftri_view text, const char *word)
{
    int64_t n = 0;
    const size_t len = strlen(word);
    const uint8_t *next = text.data;
    const uint8_t *const end = text.data + text.len;
    while (next < end && (next = memmem(next, (size_t)(end - next), word, len))) {
        n++;
        next += len;
    }
    return n;
}

/* 0 or -ENOMEM: what is wrong with the content is part of the result. */
static int parse_gzip(struct ftri_view content, uint64_t limit, struct parsed *parsed)
{
    struct ftri_bytes plain;
    ftri_bytes_init(&plain, (size_t)limit);
    struct ftri_gunzip *gunzip = ftri_gunzip_new();
    int r = gunzip ? ftri_gunzip_feed(gunzip, content, &plain) : -ENOMEM;
    if (r == 0 && !ftri_gunzip_is_complete(gunzip))
        r = -EBADMSG;
    if (r == 0) {
        add(parsed, FTR_STR("lines"), ftr_value_i64(count_lines(ftri_bytes_view(&plain))));
        add(parsed, FTR_STR("unpacked_size"), ftr_value_i64((int64_t)plain.len));
    } else if (r != -ENOMEM) {
        const char *reason =
            r == -EMSGSIZE ? "the unpacked content is too large" : "not a gzip file";
        add(parsed, FTR_STR("error"), ftr_value_str(ftr_str_from(reason)));
    }
    ftri_gunzip_free(gunzip);
    ftri_bytes_deinit(&plain);
    return r == -ENOMEM ? r : 0;
}

static void parse_package_log(struct ftri_view content, struct parsed *parsed)
{
    add(parsed, FTR_STR("lines"), ftr_value_i64(count_lines(content)));
    add(parsed, FTR_STR("installs"), ftr_value_i64(count_word(content, " install ")));
    add(parsed, FTR_STR("removals"), ftr_value_i64(count_word(content, " remove ")));
}

static int parse_record(const struct parse_options *options, const struct record *record,
                        struct records *out)
{
    const struct ftri_view content = ftri_view_of(record->value.data, record->value.len);
    struct parsed parsed = {.n_attributes = 0};
    uint8_t digest[FTRI_SHA256_BYTES];
    int r = ftri_sha256(content, digest);
    if (r < 0)
        return r;
    ftri_hex_encode(digest, sizeof digest, parsed.digest);
    add(&parsed, FTR_STR("kind"), ftr_value_str(ftr_str_from(kind_names[options->kind])));
    add(&parsed, FTR_STR("size"), ftr_value_i64((int64_t)content.len));
    add(&parsed, FTR_STR("sha256"), ftr_value_str((ftr_str){parsed.digest, sizeof parsed.digest}));
    if (options->kind == KIND_TEXT)
        add(&parsed, FTR_STR("lines"), ftr_value_i64(count_lines(content)));
    else if (options->kind == KIND_GZIP)
        r = parse_gzip(content, options->max_unpacked_bytes, &parsed);
    else if (options->kind == KIND_PACKAGE_LOG)
        parse_package_log(content, &parsed);
    if (r < 0)
        return r;
    const struct record result = {
        .key = record->key,
        .event_time_ns = record->event_time_ns,
        .attributes = parsed.attributes,
        .n_attributes = parsed.n_attributes,
    };
    return records_add(out, &result);
}

static void parse_consume(struct node *node, struct pdata *pdata)
{
    if (!intake_is_records(node, pdata))
        return;
    struct records *out = records_new(SIZE_MAX / 2);
    int r = out ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < pdata->records->n_items; i++)
        r = parse_record(node_options(node), &pdata->records->items[i], out);
    if (r < 0) {
        records_unref(out);
        const struct result result = {.reason = "memory is short"};
        node_nack(node, pdata, &result);
        return;
    }
    records_seal(out);
    pdata_set_records(pdata, out);
    node_send(node, 0, pdata);
}

const struct node_class processor_parse = {
    .type = "processor/parse",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Replaces the content of records by its size, SHA-256, lines and kind.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct parse_options)},
    .consume = parse_consume,
};
