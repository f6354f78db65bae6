/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing and unpacking the contributors of a fan-in. The format is drawn in manifest.h. */
#include "codec/manifest.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

enum {
    TRACE_BYTES = sizeof(ftr_trace_id),
    SPAN_BYTES = sizeof(ftr_span_id),
    ENTRY_BYTES_MAX = 1 + TRACE_BYTES + SPAN_BYTES,
    ENTRY_BYTES_MIN = 1,
    PREFIX_BASE = SPAN_BYTES + 1, /* of q in 9 p + q */
    PREFIX_MAX = TRACE_BYTES * PREFIX_BASE + SPAN_BYTES
};

struct ftri_manifest_string {
    struct ftri_manifest_string *next;
    struct ftri_bytes packed;
    uint32_t n_entries;
    struct ftri_manifest_id previous;
};

void ftri_manifest_init(struct ftri_manifest *self, size_t limit_bytes)
{
    *self = (struct ftri_manifest){.limit = limit_bytes};
}

void ftri_manifest_deinit(struct ftri_manifest *self)
{
    struct ftri_manifest_string *string = self->first;
    while (string) {
        struct ftri_manifest_string *const next = string->next;
        ftri_bytes_deinit(&string->packed);
        ftri_free(string);
        string = next;
    }
    ftri_manifest_init(self, self->limit);
}

static size_t common_prefix(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t n = 0;
    while (n < len && a[n] == b[n])
        n++;
    return n;
}

/* Returns the entry's length. */
static size_t encode_entry(const struct ftri_manifest_id *previous,
                           const struct ftri_manifest_id *id, uint8_t ret_entry[ENTRY_BYTES_MAX])
{
    const size_t p = common_prefix(previous->trace_id.bytes, id->trace_id.bytes, TRACE_BYTES);
    const size_t q = common_prefix(previous->span_id.bytes, id->span_id.bytes, SPAN_BYTES);
    ret_entry[0] = (uint8_t)(p * PREFIX_BASE + q);
    memcpy(ret_entry + 1, id->trace_id.bytes + p, TRACE_BYTES - p);
    memcpy(ret_entry + 1 + TRACE_BYTES - p, id->span_id.bytes + q, SPAN_BYTES - q);
    return 1 + (TRACE_BYTES - p) + (SPAN_BYTES - q);
}

static void write_n_entries(struct ftri_manifest_string *string)
{
    for (size_t i = 0; i < 4; i++)
        string->packed.data[1 + i] = (uint8_t)(string->n_entries >> (24 - 8 * i));
}

/* A new last string with its head and room for one entry; NULL when memory is short. */
static struct ftri_manifest_string *append_string(struct ftri_manifest *self)
{
    struct ftri_manifest_string *const string = ftri_zalloc(sizeof *string);
    if (!string)
        return NULL;
    static const uint8_t head[FTRI_MANIFEST_HEAD_BYTES] = {FTRI_MANIFEST_VERSION};
    ftri_bytes_init(&string->packed, FTRI_MANIFEST_STRING_BYTES);
    if (ftri_bytes_append(&string->packed, head, sizeof head) ||
        ftri_bytes_reserve(&string->packed, ENTRY_BYTES_MAX)) {
        ftri_bytes_deinit(&string->packed);
        ftri_free(string);
        return NULL;
    }
    if (self->last)
        self->last->next = string;
    else
        self->first = string;
    self->last = string;
    self->n_strings++;
    self->n_bytes += sizeof head;
    return string;
}

/* The string that can take one more entry of any size, or NULL. */
static struct ftri_manifest_string *open_string(struct ftri_manifest *self)
{
    struct ftri_manifest_string *const last = self->last;
    if (last && last->packed.len + ENTRY_BYTES_MAX <= FTRI_MANIFEST_STRING_BYTES)
        return self->n_bytes + ENTRY_BYTES_MAX <= self->limit ? last : NULL;
    if (self->n_bytes + FTRI_MANIFEST_HEAD_BYTES + ENTRY_BYTES_MAX > self->limit)
        return NULL;
    return append_string(self);
}

void ftri_manifest_add(struct ftri_manifest *self, const struct ftri_manifest_id *id)
{
    struct ftri_manifest_string *const string = open_string(self);
    if (!string) {
        self->n_dropped++;
        return;
    }
    uint8_t entry[ENTRY_BYTES_MAX];
    const size_t len = encode_entry(&string->previous, id, entry);
    if (ftri_bytes_append(&string->packed, entry, len)) {
        self->n_dropped++;
        return;
    }
    string->n_entries++;
    write_n_entries(string);
    string->previous = *id;
    self->n_bytes += len;
    self->n_entries++;
}

bool ftri_manifest_next_string(const struct ftri_manifest *self,
                               const struct ftri_manifest_string **cursor,
                               struct ftri_view *ret_packed)
{
    const struct ftri_manifest_string *const string = *cursor ? (*cursor)->next : self->first;
    if (!string)
        return false;
    *cursor = string;
    *ret_packed = ftri_bytes_view(&string->packed);
    return true;
}

const char *ftri_manifest_problem_name(enum ftri_manifest_problem problem)
{
    static const char *const names[FTRI_MANIFEST_N_PROBLEMS] = {
        "sound",     "bad length",    "unknown version", "wrong count",
        "truncated", "invalid entry", "trailing bytes",
    };
    return names[problem];
}

static int refuse(struct ftri_manifest_reader *self, enum ftri_manifest_problem problem)
{
    self->problem = problem;
    return -EBADMSG;
}

int ftri_manifest_open(struct ftri_manifest_reader *self, struct ftri_view packed)
{
    *self = (struct ftri_manifest_reader){0};
    if (packed.len < FTRI_MANIFEST_HEAD_BYTES || packed.len > FTRI_MANIFEST_STRING_BYTES)
        return refuse(self, FTRI_MANIFEST_BAD_LENGTH);
    const uint8_t *const head = packed.data;
    if (head[0] != FTRI_MANIFEST_VERSION)
        return refuse(self, FTRI_MANIFEST_BAD_VERSION);
    const uint32_t n_entries = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 |
                               (uint32_t)head[3] << 8 | (uint32_t)head[4];
    const size_t len = packed.len - FTRI_MANIFEST_HEAD_BYTES;
    if (n_entries > len / ENTRY_BYTES_MIN)
        return refuse(self, FTRI_MANIFEST_BAD_COUNT);
    self->rest = ftri_view_of(head + FTRI_MANIFEST_HEAD_BYTES, len);
    self->n_left = n_entries;
    return 0;
}

int ftri_manifest_read(struct ftri_manifest_reader *self, struct ftri_manifest_id *ret_id)
{
    if (self->n_left == 0)
        return self->rest.len == 0 ? FTRI_MANIFEST_END : refuse(self, FTRI_MANIFEST_TRAILING);
    if (self->rest.len == 0)
        return refuse(self, FTRI_MANIFEST_TRUNCATED);
    if (self->rest.data[0] > PREFIX_MAX)
        return refuse(self, FTRI_MANIFEST_BAD_ENTRY);
    const size_t p = self->rest.data[0] / PREFIX_BASE;
    const size_t q = self->rest.data[0] % PREFIX_BASE;
    const size_t len = 1 + (TRACE_BYTES - p) + (SPAN_BYTES - q);
    if (self->rest.len < len)
        return refuse(self, FTRI_MANIFEST_TRUNCATED);
    struct ftri_manifest_id id = self->previous;
    memcpy(id.trace_id.bytes + p, self->rest.data + 1, TRACE_BYTES - p);
    memcpy(id.span_id.bytes + q, self->rest.data + 1 + TRACE_BYTES - p, SPAN_BYTES - q);
    static const struct ftri_manifest_id zero;
    if (memcmp(&id.trace_id, &zero.trace_id, TRACE_BYTES) == 0 ||
        memcmp(&id.span_id, &zero.span_id, SPAN_BYTES) == 0)
        return refuse(self, FTRI_MANIFEST_BAD_ENTRY);
    self->rest = ftri_view_of(self->rest.data + len, self->rest.len - len);
    self->n_left--;
    self->previous = id;
    *ret_id = id;
    return 0;
}
