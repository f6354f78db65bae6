/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp, write-ahead log, store: `flowtrace serve` without its API, and a client on a
 * thread of its own. What was answered with success is in the store, or comes back from the log at
 * the next start; nothing is there in part or twice. */
#pragma once

#include "torture.h"

/* What a request came to. */
enum verdict {
    VERDICT_NONE,    /* the connection was refused or ended without an answer */
    VERDICT_TAKEN,   /* success */
    VERDICT_LATER,   /* refused, may be sent again */
    VERDICT_REFUSED, /* for good, the fault is named */
};

enum { COLLECTOR_REQUESTS = 6 };

struct collector_verdicts {
    enum verdict good[COLLECTOR_REQUESTS]; /* traces first, first + 1, ... */
    enum verdict bad;                      /* a request that is malformed */
};

struct collector_client {
    const char *options; /* of receiver/otlp: "http: 127.0.0.1:0, grpc: off" */
    const char *store;   /* its type */
    /* So many traces, with the numbers behind all that are sent, are in the log before the first
     * life, as a crash would leave them; COLLECTOR_REQUESTS at most. */
    uint8_t n_logged;
    /* Makes, where nothing fails, what `send` sends; frees it. */
    void (*prepare)(void);
    void (*clear)(void);
    /* Sends requests to the port, one after the other; trace numbers from `first`, each of the 2 *
     * COLLECTOR_REQUESTS numbers from 1 once in the two lives. */
    void (*send)(uint16_t port, uint8_t first, struct collector_verdicts *ret_verdicts);
};

/* One life with failing calls, one without: the second's requests are all taken. */
void collector_run(const struct collector_client *client);
