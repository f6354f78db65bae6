/* SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"

#include "app/pipeline.h"
#include "base/error.h"
#include "spans.h"
#include "store/store.h"
#include "wal/wal.h"
#include "wire.h"

#include <flowtrace/flow.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_LOGGED = 2 * COLLECTOR_REQUESTS + 1, TRACES = 3 * COLLECTOR_REQUESTS };

struct life {
    const struct collector_client *client;
    struct pipeline pipeline;
    uint8_t first; /* trace number */
    uint16_t port;
    pthread_t thread;
    bool has_thread;
    int status;
    struct ftri_error error;
    struct collector_verdicts verdicts;
    bool is_stored[TRACES + 1]; /* by trace number */
};

/* The collector stops as it does for its user: by a signal. */
static void *run_client(void *argument)
{
    struct life *self = argument;
    self->client->send(self->port, self->first, &self->verdicts);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void on_started(void *argument)
{
    struct life *self = argument;
    EXPECT(self->pipeline.environment.n_listeners == 1);
    self->port = wire_port(self->pipeline.environment.listeners[0]);
    EXPECT(pthread_create(&self->thread, NULL, run_client, self) == 0);
    self->has_thread = true;
}

static void open_graph(struct life *self)
{
    char text[512];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  otlp: {type: receiver/otlp, config: {%s}}\n"
             "  log: {type: processor/wal, config: {directory: wal}}\n"
             "  store: {type: exporter/store, config: {type: %s, directory: db, retention: 0s}}\n"
             "connections:\n"
             "  - {from: otlp, to: log}\n"
             "  - {from: log, to: store}\n",
             self->client->options, self->client->store);
    self->status =
        pipeline_open_text(&self->pipeline, ftr_str_from(text), "graph", ".", &self->error);
    self->pipeline.environment.on_started = on_started;
    self->pipeline.environment.argument = self;
}

static void live(struct life *self)
{
    open_graph(self);
    if (self->status < 0)
        return;
    self->status = pipeline_start(&self->pipeline, &self->error);
    if (self->status == 0)
        self->status = pipeline_run(&self->pipeline);
    if (self->has_thread)
        pthread_join(self->thread, NULL);
}

/* Where nothing fails, and before the store is closed. */
static void look(struct life *self)
{
    struct store *store = self->pipeline.environment.store;
    struct ftri_error error;
    if (self->pipeline.graph)
        EXPECT_THAT(graph_check_accounts(self->pipeline.graph, &error) == 0, "%s", error.text);
    for (uint8_t i = 1; store && i <= TRACES; i++)
        self->is_stored[i] = spans_are_stored(store, i);
    pipeline_close(&self->pipeline);
}

/* One failed call costs one request at most, and that may be sent again. */
static void check_verdicts(const struct life *self, size_t n_spoilt_most)
{
    size_t n_spoilt = self->verdicts.bad != VERDICT_REFUSED;
    EXPECT(self->verdicts.bad != VERDICT_TAKEN);
    for (size_t i = 0; i < COLLECTOR_REQUESTS; i++) {
        const enum verdict verdict = self->verdicts.good[i];
        EXPECT_THAT(verdict != VERDICT_REFUSED, "trace %zu was refused for good", self->first + i);
        n_spoilt += verdict != VERDICT_TAKEN;
    }
    EXPECT_THAT(n_spoilt <= n_spoilt_most, "%zu requests were not answered as expected", n_spoilt);
}

static void check_logged(const struct life *first, const struct life *second)
{
    for (uint8_t i = 0; i < first->client->n_logged; i++) {
        const uint8_t number = FIRST_LOGGED + i;
        EXPECT_THAT(first->is_stored[number] || second->is_stored[number],
                    "trace %u was in the log and is lost", number);
        EXPECT(first->is_stored[number] || torture_has_struck());
    }
}

static void on_synced(void *argument)
{
    sem_post(argument);
}

static void fill_log(uint8_t n_logged)
{
    sem_t synced;
    sem_init(&synced, 0, 0);
    const struct wal_options options = {
        .directory = "wal", .limit_bytes = 1 << 30, .on_synced = on_synced, .argument = &synced};
    struct wal *wal = NULL;
    struct wal_record record;
    EXPECT(wal_open(&options, &wal, NULL) == 0);
    EXPECT(wal_replay(wal, &record) == WAL_END);
    for (uint8_t i = 0; i < n_logged; i++) {
        struct ftri_bytes bytes = spans_protobuf((uint8_t)(FIRST_LOGGED + i));
        uint64_t position;
        EXPECT(wal_append(wal, FTR_SIGNAL_TRACES, i, ftri_bytes_view(&bytes), &position) == 0);
        ftri_bytes_deinit(&bytes);
        int error = 0;
        while (wal_synced(wal, &error) <= position)
            EXPECT(sem_wait(&synced) == 0);
    }
    wal_close(wal);
    sem_destroy(&synced);
}

static void check_start(const struct life *self)
{
    EXPECT_THAT(self->status == 0 || self->status == torture_errno(), "%d: %s", self->status,
                self->error.text);
    EXPECT(self->status == 0 || (torture_has_struck() && self->error.text[0]));
}

void collector_run(const struct collector_client *client)
{
    struct life first = {.client = client, .first = 1};
    struct life second = {.client = client, .first = 1 + COLLECTOR_REQUESTS};
    client->prepare();
    fill_log(client->n_logged);
    torture_begin();
    live(&first);
    torture_end();
    check_start(&first);
    if (first.status == 0)
        check_verdicts(&first, torture_has_struck() ? 1 : 0);
    look(&first);
    live(&second);
    EXPECT_THAT(second.status == 0, "%s", second.error.text);
    check_verdicts(&second, 0);
    look(&second);
    for (size_t i = 0; i < COLLECTOR_REQUESTS; i++) {
        EXPECT(second.is_stored[second.first + i]);
        EXPECT_THAT(first.verdicts.good[i] != VERDICT_TAKEN || first.is_stored[first.first + i] ||
                        second.is_stored[first.first + i],
                    "trace %zu was taken and is lost", first.first + i);
    }
    check_logged(&first, &second);
    client->clear();
}
