/* SPDX-License-Identifier: Apache-2.0
 *
 * Tracing a dataflow engine of one's own: an epoll loop whose stages wake each other by eventfd. A
 * sensor's readings are checked, five batches become one mean, and the mean is printed. What the
 * engine does for its traces: a visit around each piece of work, a hop beside each batch. */
#define _POSIX_C_SOURCE 200809L
#include <flowtrace/flowtrace.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { READINGS = 4, CAPACITY = 8, GATHERED = 5, TICKS = 10, TICK_NS = 2000000 };

struct batch {
    int readings[READINGS];
    size_t n;
    ftr_hop hop; /* travels with the data */
};

struct stage {
    const char *id, *type;
    ftr_node_kind kind;
    void (*work)(struct stage *self, const struct batch *batch, ftr_visit *visit);
    ftr_node *node;
    int wakeup; /* readable: something lies in the queue; of the first stage: it is time */
    struct batch queue[CAPACITY];
    size_t n_queued;
};

static void sense(struct stage *self, const struct batch *none, ftr_visit *visit);
static void check(struct stage *self, const struct batch *batch, ftr_visit *visit);
static void gather(struct stage *self, const struct batch *batch, ftr_visit *visit);
static void print(struct stage *self, const struct batch *batch, ftr_visit *visit);

enum { SENSE, CHECK, GATHER, PRINT, STAGES };
static struct stage stages[STAGES] = {
    [SENSE] = {.id = "sense-1",
               .type = "receiver/sensor",
               .kind = FTR_NODE_RECEIVER,
               .work = sense},
    [CHECK] = {.id = "check-2",
               .type = "processor/check",
               .kind = FTR_NODE_PROCESSOR,
               .work = check},
    [GATHER] = {.id = "mean-3",
                .type = "processor/mean",
                .kind = FTR_NODE_PROCESSOR,
                .work = gather},
    [PRINT] = {.id = "print-4", .type = "exporter/print", .kind = FTR_NODE_EXPORTER, .work = print},
};
static int n_ticks, n_printed;

/* The visit says that the batch left, and gives the hop; a full queue loses it, which is said too.
 */
static void send_on(struct stage *to, struct batch *batch, ftr_visit *visit)
{
    if (to->n_queued == CAPACITY) {
        ftr_visit_drop(visit, FTR_DROP_BUFFER_FULL, batch->n);
        return;
    }
    const ftr_departure departure = {.size = sizeof departure,
                                     .n_items = batch->n,
                                     .n_bytes = batch->n * sizeof batch->readings[0],
                                     .queue_depth = to->n_queued + 1,
                                     .queue_capacity = CAPACITY};
    ftr_visit_emit_with(visit, FTR_STR("out"), &departure, &batch->hop);
    to->queue[to->n_queued++] = *batch;
    const uint64_t one = 1;
    (void)!write(to->wakeup, &one, sizeof one);
}

static void sense(struct stage *self, const struct batch *none, ftr_visit *visit)
{
    struct batch batch = {.n = READINGS};
    (void)self, (void)none;
    for (int i = 0; i < READINGS; i++)
        batch.readings[i] = i == 3 ? -1 : 20 + n_ticks; /* the last probe is broken */
    n_ticks++;
    send_on(&stages[CHECK], &batch, visit);
}

static void check(struct stage *self, const struct batch *batch, ftr_visit *visit)
{
    struct batch good = {.n = 0};
    (void)self;
    for (size_t i = 0; i < batch->n; i++)
        if (batch->readings[i] >= 0)
            good.readings[good.n++] = batch->readings[i];
    if (good.n < batch->n)
        ftr_visit_drop(visit, FTR_DROP_INVALID, batch->n - good.n);
    send_on(&stages[GATHER], &good, visit);
}

/* Keeps the hops of what it gathers: the mean is made from all of them. */
static void gather(struct stage *self, const struct batch *batch, ftr_visit *visit)
{
    static ftr_hop inputs[GATHERED];
    static size_t n_inputs, n;
    static int sum;
    ftr_visit_emit(visit, FTR_STR("gathered"), batch->n, 0, &inputs[n_inputs++]);
    for (size_t i = 0; i < batch->n; i++, n++)
        sum += batch->readings[i];
    if (n_inputs < GATHERED)
        return;
    const ftr_arrival arrival = {
        .size = sizeof arrival, .signal = FTR_SIGNAL_RECORDS, .n_items = n};
    ftr_visit merging;
    ftr_visit_start(&merging, self->node, inputs, GATHERED, &arrival);
    struct batch mean = {.readings = {sum / (int)n}, .n = 1};
    send_on(&stages[PRINT], &mean, &merging);
    ftr_visit_end(&merging, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    while (n_inputs > 0)
        ftr_hop_release(&inputs[--n_inputs]);
    n = 0;
    sum = 0;
}

static void print(struct stage *self, const struct batch *batch, ftr_visit *visit)
{
    (void)self, (void)visit;
    printf("mean %d\n", batch->readings[0]);
    n_printed++;
}

/* One batch through one stage: the only place where the engine starts and ends visits. */
static void run(struct stage *self)
{
    ftr_visit visit;
    struct batch batch = {.n = 0};
    ftr_arrival arrival = {
        .size = sizeof arrival, .signal = FTR_SIGNAL_RECORDS, .n_items = READINGS};
    if (self->kind == FTR_NODE_RECEIVER) {
        ftr_visit_start(&visit, self->node, NULL, 0, &arrival);
    } else {
        batch = self->queue[0];
        arrival.n_items = batch.n;
        arrival.n_bytes = batch.n * sizeof batch.readings[0];
        arrival.queue_depth = self->n_queued;
        arrival.queue_capacity = CAPACITY;
        memmove(self->queue, self->queue + 1, --self->n_queued * sizeof self->queue[0]);
        ftr_visit_start(&visit, self->node, &batch.hop, 1, &arrival);
    }
    self->work(self, &batch, &visit);
    ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
    ftr_hop_release(&batch.hop);
}

static int open_wakeup(const struct stage *self)
{
    if (self->kind != FTR_NODE_RECEIVER)
        return eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
    const struct itimerspec tick = {.it_interval = {.tv_nsec = TICK_NS},
                                    .it_value = {.tv_nsec = TICK_NS}};
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    timerfd_settime(timer, 0, &tick, NULL);
    return timer;
}

static void open_stage(struct stage *self, int loop)
{
    const ftr_node_options options = {.size = sizeof options,
                                      .id = ftr_str_from(self->id),
                                      .type = ftr_str_from(self->type),
                                      .kind = self->kind,
                                      .pipeline = FTR_STR("sensors"),
                                      .is_stateful = self->work == gather};
    self->node = ftr_node_new(&options);
    self->wakeup = open_wakeup(self);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = self};
    epoll_ctl(loop, EPOLL_CTL_ADD, self->wakeup, &event);
}

int main(void)
{
    ftr_exporter *console = ftr_stdio_exporter_new();
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("epoll-engine");
    config.exporters = &console;
    config.n_exporters = 1;
    ftr_error error;
    if (ftr_init(&config, &error) != FTR_OK) {
        fprintf(stderr, "epoll_engine: %s\n", error.text);
        return 1;
    }
    const int loop = epoll_create1(0);
    for (int i = 0; i < STAGES; i++)
        open_stage(&stages[i], loop);

    while (n_printed < TICKS / GATHERED) {
        struct epoll_event event;
        uint64_t count;
        if (epoll_wait(loop, &event, 1, 1000) != 1)
            break;
        struct stage *stage = event.data.ptr;
        const bool is_due = read(stage->wakeup, &count, sizeof count) == sizeof count;
        if (is_due && (stage->kind != FTR_NODE_RECEIVER || n_ticks < TICKS))
            run(stage);
    }

    const ftr_status status = ftr_shutdown(1000000000); /* a second, in ns */
    for (int i = 0; i < STAGES; i++) {
        close(stages[i].wakeup);
        ftr_node_free(stages[i].node);
    }
    close(loop);
    return status == FTR_OK && n_printed == TICKS / GATHERED ? 0 : 1;
}
