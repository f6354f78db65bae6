/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory backend: the gather is all there is. An append is settled at once, by the owner's own
 * thread; retention removes whole payloads, oldest first. */
#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/class.h"

#include <errno.h>

struct memory_store {
    uint64_t n_expired;
};

static int memory_open(struct store *self, struct ftri_error *error)
{
    self->backend = ftri_zalloc(sizeof(struct memory_store));
    return self->backend ? 0 : ftri_error_errno(error, -ENOMEM, "opening the memory store");
}

static void memory_close(struct store *self)
{
    ftri_free(self->backend);
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

static void memory_appended(struct store *self, bool is_flush)
{
    struct memory_store *memory = self->backend;
    if (!is_flush)
        gather_settle_last(&self->gather);
    const struct gathered *oldest;
    while ((oldest = gather_next(&self->gather, NULL)) && is_expired(self, oldest)) {
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
    .statistics = memory_statistics,
};
