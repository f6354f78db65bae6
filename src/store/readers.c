/* SPDX-License-Identifier: Apache-2.0 */
#include "store/readers.h"

#include "base/error.h"
#include "base/mem.h"
#include "codec/zstd.h"

#include <errno.h>
#include <string.h>

enum { READERS_MAX = 4, ZSTD_LEVEL = 1 /* they only unpack */ };

static void reader_free(struct reader *self)
{
    if (!self)
        return;
    database_close(self->database);
    ftri_zstd_free(self->zstd);
    ftri_free(self);
}

static int reader_new(const char *path, struct reader **ret_reader, struct ftri_error *error)
{
    struct reader *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_errno(error, -ENOMEM, "opening %.300s", path);
    int r = database_open(path, &self->database, error);
    if (r == 0) {
        self->zstd = ftri_zstd_new(ZSTD_LEVEL);
        r = self->zstd ? 0 : ftri_error_errno(error, -ENOMEM, "opening %.300s", path);
    }
    if (r < 0)
        reader_free(self);
    else
        *ret_reader = self;
    return r;
}

int readers_init(struct readers *self, const char *path, struct ftri_error *error)
{
    *self = (struct readers){.path = ftri_strndup(path, strlen(path))};
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->given, NULL);
    if (!self->path)
        return ftri_error_errno(error, -ENOMEM, "opening %.300s", path);
    const int r = reader_new(path, &self->idle, error);
    self->n_readers = r == 0;
    return r;
}

void readers_deinit(struct readers *self)
{
    while (self->idle) {
        struct reader *reader = self->idle;
        self->idle = reader->next;
        reader_free(reader);
    }
    ftri_free(self->path);
    pthread_cond_destroy(&self->given);
    pthread_mutex_destroy(&self->mutex);
}

/* An idle reader, or NULL: the caller opens one more, which is counted already. */
static struct reader *take_idle(struct readers *self)
{
    pthread_mutex_lock(&self->mutex);
    while (!self->idle && self->n_readers == READERS_MAX)
        pthread_cond_wait(&self->given, &self->mutex);
    struct reader *reader = self->idle;
    if (reader)
        self->idle = reader->next;
    else
        self->n_readers++;
    pthread_mutex_unlock(&self->mutex);
    return reader;
}

int readers_take(struct readers *self, struct reader **ret_reader)
{
    *ret_reader = take_idle(self);
    const int r = *ret_reader ? 0 : reader_new(self->path, ret_reader, NULL);
    if (r < 0) {
        pthread_mutex_lock(&self->mutex);
        self->n_readers--;
        pthread_cond_signal(&self->given);
        pthread_mutex_unlock(&self->mutex);
    }
    return r;
}

void readers_give(struct readers *self, struct reader *reader)
{
    pthread_mutex_lock(&self->mutex);
    reader->next = self->idle;
    self->idle = reader;
    pthread_cond_signal(&self->given);
    pthread_mutex_unlock(&self->mutex);
}
