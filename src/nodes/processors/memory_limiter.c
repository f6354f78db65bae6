/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/memory_limiter: refuses batches retryably while the process uses more memory than it
 * should, before anything of them is logged.
 *
 * What counts is the process's own resident memory (all queues, logs and caches together; not the
 * pages of files), read at most once an interval, and what has passed since then. Beyond
 * limit - spike the heap's free memory is given back first; only what remains counts. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/node.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

struct memory_options {
    uint64_t limit_bytes;
    uint64_t spike_bytes;
    uint64_t interval_ns;
};

static const struct option rows[] = {
    {"limit", OPTION_BYTES, offsetof(struct memory_options, limit_bytes), "1GiB", .min = 16 << 20,
     .sentence = "What the process may use."},
    {"spike", OPTION_BYTES, offsetof(struct memory_options, spike_bytes), "0",
     .sentence = "Below the limit by this much, batches are refused; 0: a fifth of the limit."},
    {"interval", OPTION_DURATION, offsetof(struct memory_options, interval_ns), "100ms",
     .min = FTRI_NS_PER_MS, .max = 60 * FTRI_NS_PER_S,
     .sentence = "Time between two looks at the memory in use."},
};

struct memory_state {
    uint64_t n_used;     /* at the last look, and what has passed since */
    uint64_t checked_ns; /* monotonic; 0: not yet */
    bool is_refusing;
};

static uint64_t soft_limit(const struct memory_options *options)
{
    return options->limit_bytes -
           (options->spike_bytes ? options->spike_bytes : options->limit_bytes / 5);
}

static int memory_check(const void *values, struct ftri_error *error)
{
    const struct memory_options *options = values;
    if (options->spike_bytes >= options->limit_bytes)
        return ftri_error_set(error, -EINVAL,
                              "spike is not smaller than limit: nothing would pass");
    return 0;
}

/* Resident and not backed by files (proc(5), statm); 0 when the system does not tell. */
static uint64_t read_used(void)
{
    char text[128];
    unsigned long resident = 0;
    unsigned long shared = 0;
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%*u %lu %lu", &resident, &shared) != 2 || resident < shared)
        return 0;
    return (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void look(struct node *node, struct memory_state *state, uint64_t now)
{
    const uint64_t limit = soft_limit(node_options(node));
    state->n_used = read_used();
    if (state->n_used > limit) {
        (void)malloc_trim(0);
        state->n_used = read_used();
    }
    state->checked_ns = now;
}

static void refuse(struct node *node, struct pdata *pdata, const struct memory_state *state)
{
    const struct memory_options *options = node_options(node);
    struct result result = {.cause = NACK_ROUTE_FULL};
    snprintf(
        result.reason, sizeof result.reason, "memory is short: %llu MiB of %llu MiB are in use",
        (unsigned long long)(state->n_used >> 20), (unsigned long long)(soft_limit(options) >> 20));
    node_nack(node, pdata, &result);
}

static void note_change(struct node *node, struct memory_state *state, bool is_refusing)
{
    if (state->is_refusing == is_refusing)
        return;
    state->is_refusing = is_refusing;
    node_memory_pressure(node, is_refusing, state->n_used, soft_limit(node_options(node)));
    if (is_refusing)
        log_write(LOG_LEVEL_WARNING,
                  "processor/memory_limiter '%s': %llu MiB are in use: batches are refused until "
                  "there is room; raise `limit`, or send less",
                  node_id(node), (unsigned long long)(state->n_used >> 20));
    else
        log_write(LOG_LEVEL_INFO, "processor/memory_limiter '%s': batches pass again",
                  node_id(node));
}

static void memory_consume(struct node *node, struct pdata *pdata)
{
    const struct memory_options *options = node_options(node);
    struct memory_state *state = node_state(node);
    const uint64_t now = ftri_time_monotonic_ns();
    if (state->checked_ns == 0 || now - state->checked_ns >= options->interval_ns)
        look(node, state, now);
    const bool is_over = state->n_used > soft_limit(options);
    note_change(node, state, is_over);
    if (is_over) {
        refuse(node, pdata, state);
        return;
    }
    state->n_used += pdata->n_bytes;
    node_send(node, 0, pdata);
}

const struct node_class processor_memory_limiter = {
    .type = "processor/memory_limiter",
    .kind = FTR_NODE_PROCESSOR,
    .sentence = "Refuses batches, to be sent again, while too much memory is in use.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct memory_options)},
    .state_size = sizeof(struct memory_state),
    .check = memory_check,
    .consume = memory_consume,
};
