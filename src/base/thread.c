/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

#ifdef FTR_FAULTS
#include "base/nth_call.h"

static struct ftri_nth_call starts;

static bool start_fails(void)
{
    return ftri_nth_call_fails(&starts);
}

void ftri_thread_fail_at(uint64_t n)
{
    ftri_nth_call_set(&starts, n);
}

uint64_t ftri_thread_starts(void)
{
    return atomic_load(&starts.n_calls);
}
#else
static bool start_fails(void)
{
    return false;
}
#endif

/* All but those that a fault of the thread itself raises: blocked, they would end the process
 * without a word. */
static void fill_blocked(sigset_t *ret_set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(ret_set);
    for (size_t i = 0; i < FTRI_COUNT(faults); i++)
        sigdelset(ret_set, faults[i]);
}

int ftri_thread_start(void *(*run)(void *argument), void *argument, pthread_t *ret_thread)
{
    pthread_attr_t attributes;
    int rc = start_fails() ? EAGAIN : pthread_attr_init(&attributes);
    if (rc != 0)
        return -rc;
    if (!ret_thread)
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t blocked;
    sigset_t before;
    fill_blocked(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_t thread;
    rc = pthread_create(ret_thread ? ret_thread : &thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -rc;
}

int ftri_thread_hold_cancel(void)
{
    int state = PTHREAD_CANCEL_ENABLE;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return state;
}

void ftri_thread_release_cancel(const int *state)
{
    (void)pthread_setcancelstate(*state, NULL);
}
