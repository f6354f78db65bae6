/* SPDX-License-Identifier: Apache-2.0 */
#include "export/jaeger_poller.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/time.h"
#include "export/jaeger_call.h"
#include "export/jaeger_current.h"
#include "export/jaeger_settings.h"
#include "export/jaeger_strategy.h"

#include <errno.h>
#include <flowtrace/sampler.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SETTLING_NS FTRI_NS_PER_MS
#define PATIENCE_NS (50 * FTRI_NS_PER_MS)

struct ftri_jaeger_poller {
    struct ftri_jaeger_poller *next_left; /* see leave_behind */
    struct ftri_jaeger_settings settings;
    pid_t pid;
    struct ftri_jaeger_current current;
    /* Of the thread: */
    struct ftri_jaeger_call call;
    struct ftri_jaeger_strategy *replaced; /* and perhaps asked yet */
    bool has_answered;
    bool is_failing;
    /* Under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t wake; /* CLOCK_MONOTONIC: it is to stop, or was left */
    bool is_stopping;
    bool is_left; /* by one of thread and owner */
    void (*tell)(void *argument, const char *text);
    void *argument;
};

static void free_poller(struct ftri_jaeger_poller *self)
{
    ftri_jaeger_call_deinit(&self->call);
    ftri_jaeger_current_deinit(&self->current);
    ftri_jaeger_strategy_free(self->replaced);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    ftri_free(self);
}

/* The last of thread and owner frees. */
static void leave(struct ftri_jaeger_poller *self)
{
    pthread_mutex_lock(&self->lock);
    const bool is_last = self->is_left;
    self->is_left = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    if (is_last)
        free_poller(self);
}

/* With the lock held: until *flag, which it returns. */
static bool wait_for_flag(struct ftri_jaeger_poller *self, const bool *flag, uint64_t ns)
{
    const uint64_t end_ns = ftri_time_monotonic_ns() + ns;
    const struct timespec end = {(time_t)(end_ns / FTRI_NS_PER_S), (long)(end_ns % FTRI_NS_PER_S)};
    int rc = 0;
    while (!*flag && rc == 0)
        rc = pthread_cond_timedwait(&self->wake, &self->lock, &end);
    return *flag;
}

/* Until it is to stop: then false. */
static bool wait_for(struct ftri_jaeger_poller *self, uint64_t ns)
{
    pthread_mutex_lock(&self->lock);
    const bool goes_on = !wait_for_flag(self, &self->is_stopping, ns);
    pthread_mutex_unlock(&self->lock);
    return goes_on;
}

static void tell(struct ftri_jaeger_poller *self, const char *text)
{
    pthread_mutex_lock(&self->lock);
    if (!self->is_stopping && self->tell)
        self->tell(self->argument, text);
    pthread_mutex_unlock(&self->lock);
}

static void tell_failure(struct ftri_jaeger_poller *self, const struct ftri_error *why)
{
    char text[FTRI_JAEGER_ENDPOINT_BYTES + FTRI_ERROR_TEXT_BYTES + 100];
    snprintf(text, sizeof text, "jaeger_remote: %s: %s; %s", self->settings.endpoint, why->text,
             self->has_answered ? "its last strategy holds" : "initialSamplingRate holds");
    tell(self, text);
}

static void tell_recovery(struct ftri_jaeger_poller *self)
{
    char text[FTRI_JAEGER_ENDPOINT_BYTES + 100];
    snprintf(text, sizeof text, "jaeger_remote: %s: answers again, and its strategy holds",
             self->settings.endpoint);
    tell(self, text);
}

/* One failure after the other is one. */
static void note(struct ftri_jaeger_poller *self, int result, const struct ftri_error *why)
{
    if (result < 0 && !self->is_failing)
        tell_failure(self, why);
    else if (result >= 0 && self->is_failing)
        tell_recovery(self);
    self->is_failing = result < 0;
    self->has_answered = self->has_answered || result >= 0;
}

static int follow(struct ftri_jaeger_poller *self, struct ftri_view answer,
                  struct ftri_error *error)
{
    struct ftri_jaeger_strategy *next = NULL;
    const int r =
        ftri_jaeger_strategy_read(answer, ftri_jaeger_current_get(&self->current), &next, error);
    if (r == 0)
        self->replaced = ftri_jaeger_current_replace(&self->current, next);
    return r;
}

/* Frees the strategy before; false: it is to stop, and somebody may be at it. */
static bool settle(struct ftri_jaeger_poller *self)
{
    size_t n_seen = 0;
    while (self->replaced && !ftri_jaeger_current_is_settled(&self->current, &n_seen))
        if (!wait_for(self, SETTLING_NS))
            return false;
    ftri_jaeger_strategy_free(self->replaced);
    self->replaced = NULL;
    return true;
}

/* False: that was the last time. */
static bool poll_once(struct ftri_jaeger_poller *self)
{
    struct ftri_error why = {""};
    struct ftri_view answer;
    int r = ftri_jaeger_call_run(&self->call, &answer, &why);
    if (r == -ECANCELED)
        return false;
    if (r == 0)
        r = follow(self, answer, &why);
    note(self, r, &why);
    return settle(self);
}

static void *run(void *argument)
{
    struct ftri_jaeger_poller *self = argument;
    while (poll_once(self) && wait_for(self, self->settings.interval_ms * FTRI_NS_PER_MS))
        continue;
    leave(self);
    return NULL;
}

static void init_waiting(struct ftri_jaeger_poller *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
}

static int init_current(struct ftri_jaeger_current *self, double ratio)
{
    struct ftri_jaeger_strategy *strategy = ftri_jaeger_strategy_new(ratio);
    const int r = strategy ? ftri_jaeger_current_init(self, strategy) : -ENOMEM;
    if (r < 0)
        ftri_jaeger_strategy_free(strategy);
    return r;
}

static int init(struct ftri_jaeger_poller *self, ftr_str service, struct ftri_error *error)
{
    int r = init_current(&self->current, self->settings.initial_rate);
    if (r < 0)
        return ftri_error_set(error, r, "out of memory");
    r = ftri_jaeger_call_init(&self->call, self->settings.endpoint, service);
    if (r == 0)
        return 0;
    ftri_jaeger_current_deinit(&self->current);
    return r == -EMSGSIZE ? ftri_error_set(error, -EINVAL, "the service's name is too long")
                          : ftri_error_set(error, r, "out of memory");
}

/* On failure it is gone. */
static int start(struct ftri_jaeger_poller *self, const ftr_remote_sampler_options *options,
                 struct ftri_error *error)
{
    int r = ftri_jaeger_settings_read(options->argument, &self->settings, error);
    if (r == 0)
        r = init(self, options->service_name, error);
    if (r < 0) {
        ftri_free(self);
        return r;
    }
    init_waiting(self);
    r = ftri_thread_start(run, self, NULL);
    if (r == 0)
        return 0;
    free_poller(self);
    return ftri_error_errno(error, r, "starting the thread that asks for strategies");
}

int ftri_jaeger_poller_new(const ftr_remote_sampler_options *options,
                           struct ftri_jaeger_poller **ret_poller, struct ftri_error *error)
{
    struct ftri_jaeger_poller *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    self->pid = getpid();
    self->tell = options->on_diagnostic;
    self->argument = options->diagnostic_argument;
    const int r = start(self, options, error);
    if (r == 0)
        *ret_poller = self;
    return r;
}

/* The child has no thread that could free it; it stays reachable. */
static void leave_behind(struct ftri_jaeger_poller *self)
{
    static struct ftri_jaeger_poller *_Atomic left;
    self->next_left = atomic_load(&left);
    while (!atomic_compare_exchange_weak(&left, &self->next_left, self))
        ;
}

static void close_poller(void *instance)
{
    struct ftri_jaeger_poller *self = instance;
    if (self->pid != getpid()) {
        leave_behind(self);
        return;
    }
    ftri_jaeger_call_cancel(&self->call);
    pthread_mutex_lock(&self->lock);
    self->is_stopping = true;
    pthread_cond_signal(&self->wake);
    (void)wait_for_flag(self, &self->is_left, PATIENCE_NS);
    pthread_mutex_unlock(&self->lock);
    leave(self);
}

static ftr_decision decide(void *instance, const ftr_sampling_question *question,
                           ftr_str *tracestate)
{
    struct ftri_jaeger_poller *self = instance;
    (void)tracestate;
    return ftri_jaeger_current_takes(&self->current, question->span->name, &question->trace_id)
               ? FTR_DECISION_SAMPLE
               : FTR_DECISION_DROP;
}

const ftr_sampler_class *ftri_jaeger_poller_class(void)
{
    static const ftr_sampler_class poller_class = {
        .size = sizeof poller_class,
        .name = "jaeger_remote",
        .decide = decide,
        .close = close_poller,
    };
    return &poller_class;
}
