/* SPDX-License-Identifier: Apache-2.0 */
#include "export/http_exit.h"

#include "export/http_transfer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* libcurl asks whether to go on once a second while nothing happens. */
enum { WAIT_MS = 2000 };

static _Atomic uint32_t n_within;
static _Atomic bool is_ending;

static void wait_for_those_within(void)
{
    atomic_store(&is_ending, true);
    for (int i = 0; i < WAIT_MS && atomic_load(&n_within) > 0; i++)
        usleep(1000);
}

/* The threads are the parent's. */
static void forget_those_within(void)
{
    atomic_store(&n_within, 0);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool curl_is_ready;

/* The TLS library registers its handler first. */
static void start_curl(void)
{
    curl_is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
                    pthread_atfork(NULL, NULL, forget_those_within) == 0 &&
                    atexit(wait_for_those_within) == 0;
}

bool ftri_http_start_curl(void)
{
    return pthread_once(&once, start_curl) == 0 && curl_is_ready;
}

bool ftri_http_enter(void)
{
    atomic_fetch_add(&n_within, 1);
    if (!atomic_load(&is_ending))
        return true;
    ftri_http_leave();
    return false;
}

void ftri_http_leave(void)
{
    atomic_fetch_sub(&n_within, 1);
}

bool ftri_http_is_ending(void)
{
    return atomic_load_explicit(&is_ending, memory_order_relaxed);
}
