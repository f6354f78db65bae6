/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory backend: the gather is all there is. An append is settled at once, by the owner's own
 * thread; retention removes whole payloads, oldest first. */
#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/class.h"
#include "store/ghosts.h"
#include "store/lineage.h"
#include "store/removed_set.h"

#include <errno.h>

enum { REMEMBERED_SHARE = 32, REMEMBERED_BYTES = 8 << 20 /* without a limit to have a share of */ };

struct memory_store {
    uint64_t n_expired;
    struct removed_set removed; /* under the gather's mutex */
};

static int memory_open(struct store *self, struct ftri_error *error)
{
    self->backend = ftri_zalloc(sizeof(struct memory_store));
    return self->backend ? 0 : ftri_error_errno(error, -ENOMEM, "opening the memory store");
}

static void memory_close(struct store *self)
{
    struct memory_store *memory = self->backend;
    removed_set_deinit(&memory->removed);
    ftri_free(memory);
}

static bool is_expired(struct store *self, const struct gathered *oldest)
{
    const struct store_options *options = &self->options;
    if (options->retention_bytes && self->gather.n_bytes > options->retention_bytes)
        return true;
    const uint64_t now = ftri_time_wall_ns();
    return options->retention_ns && now > oldest->received_ns &&
           now - oldest->received_ns > options->retention_ns;
}

static void remember(struct store *self, const struct gathered *oldest)
{
    struct memory_store *memory = self->backend;
    const uint64_t limit = self->options.retention_bytes;
    const uint64_t n_bytes = limit ? limit / REMEMBERED_SHARE : REMEMBERED_BYTES;
    pthread_mutex_lock(&self->gather.mutex);
    for (size_t i = 0; i < oldest->n_spans; i++) {
        const struct ftri_otlp_span *span = &oldest->spans[i].span;
        removed_set_add(&memory->removed, ghost_hash(span->trace_id, span->span_id), n_bytes);
    }
    pthread_mutex_unlock(&self->gather.mutex);
}

static int memory_explain_absence(struct store *self, const struct store_span_id *spans, size_t n,
                                  uint8_t *ret_absences)
{
    const struct memory_store *memory = self->backend;
    pthread_mutex_lock(&self->gather.mutex);
    for (size_t i = 0; i < n; i++) {
        const uint64_t hash = ghost_hash(spans[i].trace_id.bytes, spans[i].span_id.bytes);
        ret_absences[i] = removed_set_has(&memory->removed, hash) ? STORE_ABSENCE_REMOVED
                          : memory->removed.has_forgotten         ? STORE_ABSENCE_UNKNOWN
                                                                  : STORE_ABSENCE_NEVER;
    }
    pthread_mutex_unlock(&self->gather.mutex);
    return 0;
}

static void memory_appended(struct store *self, bool is_flush)
{
    struct memory_store *memory = self->backend;
    if (!is_flush)
        gather_settle_last(&self->gather);
    const struct gathered *oldest;
    while ((oldest = gather_next(&self->gather, NULL)) && is_expired(self, oldest)) {
        remember(self, oldest);
        gather_expire_first(&self->gather);
        memory->n_expired++;
    }
    if (!is_flush && self->options.on_settled)
        self->options.on_settled(self->options.argument);
}

static void memory_statistics(struct store *self, struct store_statistics *ret_statistics)
{
    const struct memory_store *memory = self->backend;
    ret_statistics->n_expired_blocks = memory->n_expired;
}

const struct store_class store_memory = {
    .type = "memory",
    .open = memory_open,
    .close = memory_close,
    .appended = memory_appended,
    .explain_absence = memory_explain_absence,
    .statistics = memory_statistics,
};
