/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections for reading: up to four are opened as they are needed, then kept. Any thread takes
 * one, uses it alone and gives it back; when all are taken it waits. */
#pragma once

#include "store/database.h"

#include <pthread.h>

struct reader {
    struct database *database;
    struct ftri_zstd *zstd;
    struct reader *next;
};

struct readers {
    pthread_mutex_t mutex;
    pthread_cond_t given;
    struct reader *idle;
    size_t n_readers;
    char *path;
};

/* Copies the path and opens the first. */
int readers_init(struct readers *self, const char *path, struct ftri_error *error) FTRI_MUST_CHECK;
/* All must have been given back. */
void readers_deinit(struct readers *self);
int readers_take(struct readers *self, struct reader **ret_reader) FTRI_MUST_CHECK;
void readers_give(struct readers *self, struct reader *reader);
