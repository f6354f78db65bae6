/* SPDX-License-Identifier: Apache-2.0 */
#include "app/ledger.h"

#include "app/ledger_outlet.h"
#include "app/pipeline.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/random.h"
#include "base/time.h"
#include "engine/cutter.h"
#include "engine/instances.h"
#include "net/loop.h"
#include "store/store.h"

#include <flowtrace/tracing.h>
#include <stdio.h>

enum { CUT_BYTES = 32 << 20 };

struct ledger {
    struct pipeline *pipeline;
    struct cutter *cutter;
    struct loop_timer *timer;
    struct ledger_outlet *outlet; /* NULL: the pipeline's own store */
    bool is_late;                 /* the last cut could not be handed on; said so */
    bool is_open;                 /* a cut was told that was not the last */
};

/* Version 4 of RFC 9562. Made anew in every process, also where service.instance.id is configured:
 * a ledger must not mistake a process for the one before it. */
static void make_instance(char ret_text[37])
{
    const uint64_t high = ftri_random_u64(), low = ftri_random_u64();
    snprintf(ret_text, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
             (unsigned)(0x8000 | (low >> 48 & 0x3fff)),
             (unsigned long long)(low & 0xffffffffffffULL));
}

static bool put_own(const struct ledger *self, struct ftri_bytes *metrics)
{
    struct store *store = self->pipeline->environment.store;
    struct ftri_payload *payload = store ? ftri_payload_new(metrics) : NULL;
    const bool is_put =
        payload && store_append_ledger(store, payload, ftri_time_wall_ns(), NULL) == 0;
    ftri_payload_unref(payload);
    return is_put;
}

/* False: the next cut has to say it. */
static bool cut(struct ledger *self, bool is_last)
{
    struct ftri_bytes metrics FTRI_CLEANUP(ftri_bytes_deinit);
    size_t n_points = 0;
    ftri_bytes_init(&metrics, CUT_BYTES);
    const int r = cutter_cut(self->cutter, is_last, &metrics, &n_points);
    if (r == 0 && n_points == 0)
        return true;
    const bool is_put =
        r == 0 && (self->outlet ? ledger_outlet_put(self->outlet, &metrics, n_points)
                                : put_own(self, &metrics));
    if (is_put)
        cutter_keep(self->cutter);
    else if (!self->is_late)
        log_write(LOG_LEVEL_WARNING, "the flow ledger: %s; it is told with the next cut",
                  r < 0 ? "memory is short" : "a cut could not be handed on");
    self->is_late = !is_put;
    return is_put;
}

/* There is no ledger of what is not traced. */
static bool is_kept(const struct ledger *self)
{
    return pipeline_is_traced(self->pipeline) && (!self->outlet || ftr_get_mode() != FTR_MODE_OFF);
}

/* When tracing has been turned off a last cut tells so; when it is turned on again, the next one
 * tells all that has been counted since. */
static void on_collected(void *argument)
{
    struct ledger *self = argument;
    if (is_kept(self))
        self->is_open = cut(self, false) || self->is_open;
    else if (self->is_open)
        self->is_open = !cut(self, true);
}

static void on_time(void *argument)
{
    struct ledger *self = argument;
    loop_timer_start(self->timer, cutter_delay_ns());
    instances_collect(self->pipeline->instances, on_collected, self);
}

static void ledger_free(struct ledger *self)
{
    loop_timer_free(self->timer);
    cutter_free(self->cutter);
    ftri_free(self);
}

static struct ledger *start(struct pipeline *pipeline, struct ledger_outlet *outlet)
{
    char instance[37];
    struct ledger *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    make_instance(instance);
    *self = (struct ledger){.pipeline = pipeline, .outlet = outlet};
    self->cutter = cutter_new(pipeline->graph, pipeline->name, instance);
    self->timer = loop_timer_new(pipeline->loop, on_time, self);
    if (!self->cutter || !self->timer) {
        ledger_free(self);
        return NULL;
    }
    loop_timer_start(self->timer, cutter_delay_ns());
    return self;
}

static struct ledger *started(struct ledger *self)
{
    if (!self)
        log_write(LOG_LEVEL_WARNING, "the flow ledger is not kept: memory is short");
    return self;
}

struct ledger *ledger_start_own(struct pipeline *pipeline)
{
    return started(start(pipeline, NULL));
}

struct ledger *ledger_start_exported(struct pipeline *pipeline)
{
    struct ledger_outlet *outlet = NULL;
    struct ftri_error error = {.text = "memory is short"};
    if (ledger_outlet_open(&outlet, &error) < 0) {
        log_write(LOG_LEVEL_WARNING, "the flow ledger is not sent: %s", error.text);
        return NULL;
    }
    if (!outlet)
        return NULL;
    struct ledger *self = started(start(pipeline, outlet));
    if (!self)
        (void)ledger_outlet_close(outlet, 0);
    return self;
}

bool ledger_stop(struct ledger *self, uint64_t timeout_ns)
{
    if (!self)
        return true;
    bool is_whole = (!self->is_open && !is_kept(self)) || cut(self, true);
    if (self->outlet)
        is_whole &= ledger_outlet_close(self->outlet, timeout_ns);
    ledger_free(self);
    return is_whole;
}
