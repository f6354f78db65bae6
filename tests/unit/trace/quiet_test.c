/* SPDX-License-Identifier: Apache-2.0
 *
 * What <flowtrace/span.h> says of itself: recording allocates nothing and makes no system call, but
 * to wake a worker that sleeps. Neither does what is off or not sampled. Requests are counted at
 * the allocator's seam, calls by a seccomp filter around the recording thread. */
#include "base/mem.h"

#include <flowtrace/flowtrace.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true /* its runtime makes calls of its own */
#else
#define IS_SANITIZED false
#endif

enum { ROUNDS = 300 };

static const ftr_context sampled = {
    .span = {.trace_id = {{7}}, .span_id = {{8}}, .trace_flags = FTR_TRACE_FLAG_SAMPLED}};
static const ftr_context unsampled = {.span = {.trace_id = {{7}}, .span_id = {{8}}}};
static ftr_context with_fields; /* inherited ones, and a finish callback */

static _Atomic long n_calls;
static _Atomic long first_call;

struct outcome {
    bool is_filtered;
    long n_calls;
};

static void on_finish(void *state, ftr_span span)
{
    (void)state;
    ftr_span_set_bool(span, FTR_STR("finished"), true);
}

static void fill(ftr_span span)
{
    static const ftr_str texts[] = {{"method", 6}, {"rows", 4}};
    static ftr_keys keys = {.n_keys = 2, .keys = texts};
    const ftr_value values[] = {ftr_value_str(FTR_STR("GET")), ftr_value_i64(7)};
    const ftr_attribute attribute = {FTR_STR("list"), ftr_value_array(values, 2)};
    char large[3000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = 'x';
    ftr_span_set_values(span, &keys, values);
    ftr_span_set_i64(span, FTR_STR("rows"), 8);
    ftr_span_set_f64(span, FTR_STR("share"), 0.5);
    ftr_span_set(span, attribute.key, &attribute.value);
    ftr_span_set_str(span, FTR_STR("large"), (ftr_str){large, sizeof large});
    ftr_span_set_str(span, FTR_STR("large too"), (ftr_str){large, sizeof large});
    ftr_span_event(span, FTR_STR("event"), &attribute, 1);
    ftr_span_link(span, &sampled, &attribute, 1);
    ftr_span_set_name(span, FTR_STR("a name that is longer than it was before"));
    ftr_span_set_status(span, FTR_SPAN_ERROR, FTR_STR("why"));
}

/* A span, one below it by the current context, and what carries that context about. */
static void record_below(const ftr_context *parent)
{
    static ftr_call_site site = {.kind = FTR_KIND_INTERNAL, .name = {"site", 4}};
    char traceparent[FTR_TRACEPARENT_LEN + 1];
    const ftr_span outer = ftr_span_start(FTR_STR("outer"), FTR_KIND_SERVER, parent);
    fill(outer);
    ftr_context here = ftr_span_context_of(outer);
    const ftr_attachment attachment = ftr_attach(&here);
    ftr_span_end(ftr_span_start(FTR_STR("inner"), FTR_KIND_INTERNAL, NULL));
    ftr_span_end(ftr_span_start_site(&site, NULL));
    (void)ftr_current_traceparent(traceparent);
    ftr_detach(attachment);
    ftr_context copy = ftr_context_copy(&here);
    ftr_context_release(&copy);
    ftr_context_release(&here);
    ftr_span_end(outer);
}

static void record_everything(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        record_below(NULL);
        record_below(&sampled);
        record_below(&unsampled);
        record_below(&with_fields);
    }
}

static void note_call(int number, siginfo_t *info, void *machine)
{
    (void)number;
    (void)machine;
    if (n_calls++ == 0)
        first_call = info->si_syscall;
}

#define WORD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW_IF(value)                                                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* From here on each other call of the calling thread is noted, and not made. */
static int allow_the_wake_only(void)
{
    struct sock_filter filter[] = {
        WORD(nr),
        ALLOW_IF(SYS_exit),
        ALLOW_IF(SYS_rt_sigreturn),
        ALLOW_IF(SYS_clock_gettime), /* where there is no counter to read */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 3),
        WORD(args[1]),
        ALLOW_IF(FUTEX_WAKE_PRIVATE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void *record_within_the_filter(void *argument)
{
    struct outcome *outcome = argument;
    record_everything();
    outcome->is_filtered = IS_SANITIZED || allow_the_wake_only() == 0;
    record_everything();
    outcome->n_calls = n_calls; /* what ends the thread makes some, in vain */
    return NULL;
}

static void assert_no_call(void)
{
    const struct sigaction note = {.sa_sigaction = note_call, .sa_flags = SA_SIGINFO};
    struct sigaction before; /* cmocka's */
    pthread_t thread;
    struct outcome outcome = {.is_filtered = false};
    n_calls = 0;
    assert_int_equal(sigaction(SIGSYS, &note, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, record_within_the_filter, &outcome), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(sigaction(SIGSYS, &before, NULL), 0);
    assert_true(outcome.is_filtered);
    if (outcome.n_calls != 0)
        fail_msg("%ld system calls, the first is number %ld", outcome.n_calls, (long)first_call);
}

static void assert_no_request(void)
{
    record_everything();
    ftri_mem_fail_at(UINT64_MAX);
    record_everything();
    const uint64_t n = ftri_mem_requests();
    ftri_mem_fail_at(0);
    assert_int_equal(n, 0);
}

/* Nobody but the recording thread has anything to do: no exporter, no metrics. */
static int start(void **state)
{
    (void)state;
    static const ftr_metrics_config metrics = {.size = sizeof metrics, .is_off = true};
    ftr_config config = FTR_CONFIG_INIT;
    config.metrics = &metrics;
    if (ftr_init(&config, NULL) != FTR_OK)
        return -1;
    const ftr_value job = ftr_value_str(FTR_STR("nightly-7"));
    with_fields = sampled;
    return ftr_context_set_field(&with_fields, FTR_STR("job_id"), &job) &&
                   ftr_context_set_finish_callback(&with_fields, on_finish, NULL)
               ? 0
               : -1;
}

static int stop(void **state)
{
    (void)state;
    ftr_context_release(&with_fields);
    return ftr_shutdown(UINT64_C(5000000000)) == FTR_OK ? 0 : -1;
}

static void test_recording_is_quiet(void **state)
{
    (void)state;
    assert_no_request();
    assert_no_call();
}

static void test_what_is_off_is_quiet(void **state)
{
    (void)state;
    ftr_set_mode(FTR_MODE_OFF);
    assert_no_request();
    assert_no_call();
    ftr_set_mode(FTR_MODE_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recording_is_quiet),
        cmocka_unit_test(test_what_is_off_is_quiet),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
