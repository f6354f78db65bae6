/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store's tests share: a store of either type in a directory of its own, appends that
 * are counted until their token has come back, comparing of what is read with samples. */
#pragma once

#include "base/error.h"
#include "otlp/view.h"
#include "samples.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIXTURE_TOKENS_MAX = 1 << 16 };

struct fixture {
    char directory[64];
    struct store_options options;
    struct store *store;
    sem_t settled;
    uint64_t next_token;
    uint64_t n_settled;
    bool has_settled[FIXTURE_TOKENS_MAX];
};

/* cmocka: *state is the store's type, then the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *self);
void fixture_close(struct fixture *self);
/* Of the closed store. */
void fixture_remove_files(const struct fixture *self);
bool fixture_is_sqlite(const struct fixture *self);

/* Consumes the payload. Waits while the store is busy. */
void fixture_append_payload(struct fixture *self, struct ftri_payload *payload,
                            uint64_t received_ns);
void fixture_append(struct fixture *self, const struct sample *samples, size_t n,
                    uint64_t received_ns);
/* Takes the tokens that are there; each must be a new one and without error. */
void fixture_collect(struct fixture *self);
/* Flushes and waits until every token is back: with blocks, all is in blocks. */
void fixture_settle(struct fixture *self);

struct store_statistics fixture_statistics(struct fixture *self);
void fixture_get(struct fixture *self, uint64_t trace, struct store_result *ret_result);
/* The trace has exactly these spans, in any order: ids, and the bytes of sample_encode. */
void fixture_check_trace(struct fixture *self, uint64_t trace, const struct sample *samples,
                         size_t n);
/* Names as one text, a newline behind each. */
void fixture_check_names(struct fixture *self, const char *service, const char *expected);

/* The same test for both types of store. */
#define FIXTURE_TEST(test, type)                                                                   \
    {                                                                                              \
#test " (" type ")", test, fixture_setup, fixture_teardown, (void *)(type)                 \
    }
#define FIXTURE_TEST_ALL(test) FIXTURE_TEST(test, "memory"), FIXTURE_TEST(test, "sqlite")
