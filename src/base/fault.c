/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef FTR_FAULTS
#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order in which a request passes them. */
static const char *const points[] = {
    "wal.before_append",      "wal.after_append",      "wal.after_sync",
    "receiver.before_answer", "receiver.after_answer", "store.before_block",
    "store.after_block",      "wal.before_truncate",   "wal.after_truncate",
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char chosen[64];
static _Atomic long countdown; /* 0: no fault is armed */

static void read_environment(void)
{
    const char *setting = getenv("FTR_FAULT");
    const char *colon = setting ? strchr(setting, ':') : NULL;
    if (!colon || (size_t)(colon - setting) >= sizeof chosen)
        return;
    memcpy(chosen, setting, (size_t)(colon - setting));
    atomic_store(&countdown, strtol(colon + 1, NULL, 10));
}

static bool is_listed(const char *name)
{
    for (size_t i = 0; i < FTRI_COUNT(points); i++)
        if (strcmp(points[i], name) == 0)
            return true;
    return false;
}

void ftri_fault_point(const char *name)
{
    assert(is_listed(name));
    (void)is_listed;
    pthread_once(&once, read_environment);
    if (atomic_load(&countdown) == 0 || strcmp(name, chosen) != 0)
        return;
    if (atomic_fetch_sub(&countdown, 1) == 1)
        kill(getpid(), SIGKILL);
}
#else
/* An empty translation unit is not ISO C. */
typedef int ftri_fault_unused;
#endif
