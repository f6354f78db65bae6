/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker appends to one buffer of a tap while its reader is in the other; they change places
 * when the reader has come to its end. The table's lock is for the worker, for making and for
 * freeing; a tap's lock, taken inside it or alone, for what both sides share. */
#include "trace/tap.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/thread.h"
#include "trace/clock.h"
#include "trace/os_thread.h"
#include "trace/record.h"

#include <flowtrace/tap.h>
#include <string.h>

#define BUFFER_BYTES ((size_t)8 << 20)

struct ftr_tap {
    pthread_mutex_t lock; /* for written, n_written, and for waiting */
    pthread_cond_t changed;
    struct ftri_bytes written; /* records, one behind the other */
    size_t n_written;
    _Atomic size_t n_unread; /* in both buffers */
    _Atomic uint64_t n_lost;
    /* The reader's. */
    struct ftri_bytes read;
    size_t position; /* in read */
    struct ftri_bytes scratch;
};

_Atomic uint32_t ftri_n_taps;

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static ftr_tap *taps[FTR_TAPS_MAX]; /* the first ftri_n_taps */

static void init_shared(ftr_tap *self)
{
    pthread_mutex_init(&self->lock, NULL);
    ftri_os_cond_init(&self->changed);
}

static bool add_to_table(ftr_tap *self)
{
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_taps);
    const bool has_room = n < FTR_TAPS_MAX;
    if (has_room) {
        taps[n] = self;
        atomic_store(&ftri_n_taps, n + 1);
    }
    pthread_mutex_unlock(&table_lock);
    return has_room;
}

static void remove_from_table(const ftr_tap *self)
{
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_taps);
    for (uint32_t i = 0; i < n; i++)
        if (taps[i] == self) {
            taps[i] = taps[n - 1];
            atomic_store(&ftri_n_taps, n - 1);
            break;
        }
    pthread_mutex_unlock(&table_lock);
}

static void free_tap(ftr_tap *self)
{
    ftri_bytes_deinit(&self->written);
    ftri_bytes_deinit(&self->read);
    ftri_bytes_deinit(&self->scratch);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    ftri_free(self);
}

ftr_tap *ftr_tap_new(void)
{
    ftr_tap *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    init_shared(self);
    ftri_bytes_init(&self->written, BUFFER_BYTES);
    ftri_bytes_init(&self->read, BUFFER_BYTES);
    ftri_bytes_init(&self->scratch, SIZE_MAX / 2);
    if (add_to_table(self))
        return self;
    free_tap(self);
    return NULL;
}

void ftr_tap_free(ftr_tap *self)
{
    if (!self)
        return;
    remove_from_table(self);
    free_tap(self);
}

uint64_t ftr_tap_n_lost(const ftr_tap *self)
{
    return atomic_load(&self->n_lost);
}

static void offer(ftr_tap *self, const struct ftri_record *record)
{
    const size_t size = ftri_record_copy_size(record);
    pthread_mutex_lock(&self->lock);
    if (atomic_load(&self->n_unread) < FTR_TAP_SPANS &&
        ftri_bytes_reserve(&self->written, size) == 0) {
        ftri_record_copy(record, self->written.data + self->written.len);
        self->written.len += size;
        atomic_fetch_add(&self->n_unread, 1);
        if (self->n_written++ == 0)
            pthread_cond_signal(&self->changed);
    } else {
        atomic_fetch_add(&self->n_lost, 1);
    }
    pthread_mutex_unlock(&self->lock);
}

void ftri_taps_offer(const struct ftri_record *record)
{
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_taps);
    for (uint32_t i = 0; i < n; i++)
        offer(taps[i], record);
    pthread_mutex_unlock(&table_lock);
}

/* False: nothing was written until the deadline. */
static bool change_places(ftr_tap *self, uint64_t deadline_ns)
{
    pthread_mutex_lock(&self->lock);
    bool is_in_time = true;
    while (self->n_written == 0 && is_in_time)
        is_in_time = ftri_os_cond_wait(&self->changed, &self->lock, deadline_ns);
    const bool is_there = self->n_written > 0;
    if (is_there) {
        const struct ftri_bytes written = self->written;
        self->written = self->read;
        self->read = written;
        ftri_bytes_reset(&self->written);
        self->n_written = 0;
        self->position = 0;
    }
    pthread_mutex_unlock(&self->lock);
    return is_there;
}

static uint64_t deadline_after(uint64_t timeout_ns)
{
    const uint64_t now_ns = ftri_clock_monotonic_ns();
    return timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
}

ftr_status ftr_tap_next(ftr_tap *self, uint64_t timeout_ns, ftr_span_data *ret_span)
{
    FTRI_NOT_CANCELLED;
    if (self->position == self->read.len && !change_places(self, deadline_after(timeout_ns)))
        return FTR_ERR_TIMEOUT;
    const struct ftri_record *record =
        (const struct ftri_record *)(const void *)(self->read.data + self->position);
    self->position += record->size;
    atomic_fetch_sub(&self->n_unread, 1);
    ftri_bytes_reset(&self->scratch);
    if (ftri_bytes_reserve(&self->scratch, ftri_record_scratch(record->stream_len)) < 0) {
        atomic_fetch_add(&self->n_lost, 1);
        return FTR_ERR_MEMORY;
    }
    (void)ftri_record_read(record, self->scratch.data, ret_span);
    return FTR_OK;
}

/* ---- fork ---- */

void ftri_taps_lock(void)
{
    pthread_mutex_lock(&table_lock);
    const uint32_t n = atomic_load(&ftri_n_taps);
    for (uint32_t i = 0; i < n; i++)
        pthread_mutex_lock(&taps[i]->lock);
}

void ftri_taps_unlock(void)
{
    const uint32_t n = atomic_load(&ftri_n_taps);
    for (uint32_t i = 0; i < n; i++)
        pthread_mutex_unlock(&taps[i]->lock);
    pthread_mutex_unlock(&table_lock);
}

void ftri_taps_after_fork(void)
{
    pthread_mutex_init(&table_lock, NULL);
    const uint32_t n = atomic_load(&ftri_n_taps);
    for (uint32_t i = 0; i < n; i++) {
        ftr_tap *tap = taps[i];
        init_shared(tap);
        ftri_bytes_reset(&tap->written);
        tap->n_written = 0;
        tap->position = tap->read.len;
        atomic_store(&tap->n_unread, 0);
    }
}
