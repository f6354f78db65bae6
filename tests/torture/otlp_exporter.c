/* SPDX-License-Identifier: Apache-2.0
 *
 * The library with its OTLP exporter, made by the environment, from init to shutdown: once against
 * a port that refuses connections (all is counted as lost), once against a server that takes what
 * comes (all is delivered), once against one that answers no. */
#include "torture.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/otlp.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SPANS = 50 };
static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

/* A port of its own; `answer` NULL: it never listens. One connection at a time. */
struct peer {
    const char *answer;
    int fd;
    uint16_t port;
    pthread_t thread;
};

/* The length that the head promises, once the head is whole. */
static bool has_whole_request(const char *text, size_t len)
{
    const char *const body = memmem(text, len, "\r\n\r\n", 4);
    const char *const field = body ? strcasestr(text, "content-length:") : NULL;
    return field && (size_t)(text + len - body) - 4 >=
                        strtoul(field + sizeof "content-length:" - 1, NULL, 10);
}

static void answer_all(const struct peer *self, int fd)
{
    static char text[1 << 20];
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        if (!has_whole_request(text, len))
            continue;
        len = 0;
        if (send(fd, self->answer, strlen(self->answer), MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *run_peer(void *argument)
{
    const struct peer *self = argument;
    int fd;
    while ((fd = accept(self->fd, NULL, NULL)) >= 0) {
        answer_all(self, fd);
        close(fd);
    }
    return NULL;
}

static void peer_open(struct peer *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(self->fd >= 0 && bind(self->fd, (struct sockaddr *)&address, len) == 0);
    EXPECT(getsockname(self->fd, (struct sockaddr *)&address, &len) == 0);
    self->port = ntohs(address.sin_port);
    if (!self->answer)
        return;
    EXPECT(listen(self->fd, 16) == 0);
    EXPECT(pthread_create(&self->thread, NULL, run_peer, self) == 0);
}

static void peer_close(struct peer *self)
{
    (void)shutdown(self->fd, SHUT_RDWR); /* accept ends */
    if (self->answer)
        pthread_join(self->thread, NULL);
    close(self->fd);
}

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

void torture_run(void)
{
    struct peer refusing = {.answer = NULL};
    struct peer saying_no = {.answer = "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"};
    struct peer taking = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    struct peer *const peers[] = {&refusing, &saying_no, &taking};
    setenv("OTEL_EXPORTER_OTLP_HEADERS", "tenant=torture,note=a%20b", 1);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
    setenv("OTEL_SERVICE_NAME", "torture", 1);
    for (size_t i = 0; i < FTRI_COUNT(peers); i++)
        peer_open(peers[i]);
    torture_begin();
    const struct session first = live(&refusing);
    const struct session second = live(&saying_no);
    const struct session third = live(&taking);
    torture_end();
    EXPECT(check(&first) == 0 && check(&second) == 0);
    const uint64_t n_delivered = check(&third);
    EXPECT(torture_has_struck() || n_delivered == SPANS);
    const struct session last = live(&taking);
    EXPECT_THAT(last.status == FTR_OK, "%s", last.error.text);
    EXPECT(check(&last) == SPANS);
    for (size_t i = 0; i < FTRI_COUNT(peers); i++)
        peer_close(peers[i]);
}
