/* SPDX-License-Identifier: Apache-2.0
 *
 * The library with its OTLP exporter, made by the environment, from init to shutdown, over HTTP and
 * over gRPC: once against a port that refuses connections (all is counted as lost), once against a
 * server that takes what comes (all is delivered), once against one that answers no. */
#include "peer.h"
#include "torture.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>

#include <stdio.h>
#include <stdlib.h>

enum { SPANS = 50 };
static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

static ftr_statistics counts(void)
{
    ftr_statistics statistics = {.size = sizeof statistics};
    ftr_get_statistics(&statistics);
    return statistics;
}

/* What became of the spans of a session. */
struct session {
    ftr_status status;
    ftr_error error;
    ftr_statistics statistics;
};

static struct session live(const struct peer *peer)
{
    struct session self = {.error = {FTR_OK, ""}};
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", peer->port);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url, 1);
    setenv("OTEL_EXPORTER_OTLP_PROTOCOL", peer->is_grpc ? "grpc" : "http/protobuf", 1);
    /* No time for a second try where the first cannot work, plenty where it has to. */
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", peer->answer ? "60000" : "700", 1);
    ftr_config config = FTR_CONFIG_INIT;
    config.otlp_exporter = ftr_otlp_exporter_from_environment;
    self.status = ftr_init(&config, &self.error);
    if (self.status != FTR_OK)
        return self;
    for (int i = 0; i < SPANS; i++)
        ftr_span_end(ftr_span_start(FTR_STR("work"), FTR_KIND_CLIENT, NULL));
    EXPECT(ftr_flush(DEADLINE_NS) == FTR_OK);
    self.statistics = counts();
    EXPECT(ftr_shutdown(DEADLINE_NS) == FTR_OK);
    return self;
}

/* Returns how many were delivered. */
static uint64_t check(const struct session *self)
{
    const ftr_statistics *s = &self->statistics;
    if (self->status != FTR_OK) {
        EXPECT_THAT(self->status == FTR_ERR_MEMORY || self->status == FTR_ERR_IO, "%d: %s",
                    self->status, self->error.text);
        EXPECT(torture_has_struck() && self->error.text[0]);
        return 0;
    }
    const ftr_exporter_statistics *e = &s->exporters[0];
    EXPECT(s->n_exporters == 1 && s->started + s->no_slot == SPANS);
    EXPECT(s->started == s->ended && s->ended == s->recorded + s->lost_journal_full);
    EXPECT(s->recorded ==
           e->delivered + e->rejected + e->lost_queue_full + e->lost_export + e->queued);
    EXPECT(e->queued == 0);
    return e->delivered;
}

/* INVALID_ARGUMENT in gRPC. */
static int say_no(struct peer *self, struct ftri_view body)
{
    (void)body;
    return self->is_grpc ? 3 : 400;
}

static int take(struct peer *self, struct ftri_view body)
{
    (void)body;
    return self->is_grpc ? 0 : 200;
}

enum { KINDS = 3, TAKING = 2, PEERS = 2 * KINDS }; /* of HTTP, and again of gRPC */

void torture_run(void)
{
    struct peer peers[PEERS] = {{.answer = NULL}, {.answer = say_no}, {.answer = take}};
    struct session sessions[PEERS];
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "tenant=torture,note=a%20b", 1);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
    setenv("OTEL_SERVICE_NAME", "torture", 1);
    for (size_t i = 0; i < PEERS; i++) {
        peers[i].answer = peers[i % KINDS].answer;
        peers[i].is_grpc = i >= KINDS;
        peer_open(&peers[i]);
    }
    torture_begin();
    for (size_t i = 0; i < PEERS; i++)
        sessions[i] = live(&peers[i]);
    torture_end();
    for (size_t i = 0; i < PEERS; i++) {
        const uint64_t n_delivered = check(&sessions[i]);
        EXPECT(i % KINDS == TAKING ? torture_has_struck() || n_delivered == SPANS
                                   : n_delivered == 0);
    }
    for (size_t i = TAKING; i < PEERS; i += KINDS) {
        const struct session last = live(&peers[i]);
        EXPECT_THAT(last.status == FTR_OK, "%s", last.error.text);
        EXPECT(check(&last) == SPANS);
    }
    for (size_t i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
}
