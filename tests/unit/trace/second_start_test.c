/* SPDX-License-Identifier: Apache-2.0
 *
 * A second ftr_init is refused, and the answer names the first: where, which thread, which service,
 * when. */
#include "probe.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void assert_says(const ftr_error *error, const char *words)
{
    if (!strstr(error->text, words))
        fail_msg("'%s' does not say '%s'", error->text, words);
}

static ftr_error refusal(void)
{
    ftr_error error;
    assert_int_equal(ftr_init(NULL, &error), FTR_ERR_STATE);
    return error;
}

static void *start_shop(void *argument)
{
    (void)argument;
    pthread_setname_np(pthread_self(), "till");
    ftr_config config = FTR_CONFIG_INIT;
    const int line = __LINE__ - 1;
    config.service_name = FTR_STR("shop");
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    return (void *)(intptr_t)line;
}

static void test_the_place_the_thread_the_service_and_the_time(void **state)
{
    (void)state;
    char place[64];
    char date[16];
    void *line;
    const time_t now = time(NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_shop, NULL), 0);
    pthread_join(thread, &line);
    const ftr_error error = refusal();
    snprintf(place, sizeof place, "second_start_test.c:%d (thread ", (int)(intptr_t)line);
    assert_says(&error, place);
    assert_says(&error, "'till', service 'shop', ");
    strftime(date, sizeof date, "%Y-%m-%dT", gmtime(&now));
    assert_says(&error, date);
    assert_says(&error, "call ftr_shutdown first");
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK); /* by somebody else, who is named from now on */
    assert_null(strstr(refusal().text, "till"));
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* Other languages have no FTR_CONFIG_INIT: the code that called is named. */
static void test_without_a_place_the_address(void **state)
{
    (void)state;
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    const ftr_error error = refusal();
    assert_says(&error, "already initialised by ");
    assert_says(&error, "+0x");
    assert_says(&error, "unit.trace.second_start_test");
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

/* Its end tells most. The text is the caller's: it may be gone by then. */
static void test_a_long_place_is_cut_and_copied(void **state)
{
    (void)state;
    char place[1000];
    memset(place, 'x', sizeof place);
    snprintf(place + 980, 20, "/engine.c:7");
    ftr_config config = FTR_CONFIG_INIT;
    config.place = place;
    assert_int_equal(ftr_init(&config, NULL), FTR_OK);
    memset(place, 'y', sizeof place - 1);
    const ftr_error error = refusal();
    assert_says(&error, "already initialised by ...xxx");
    assert_says(&error, "x/engine.c:7 (thread ");
    assert_true(strlen(error.text) < 400);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}

static void *shut_down(void *argument)
{
    (void)argument;
    (void)ftr_shutdown(60 * SECOND);
    return NULL;
}

static void test_while_the_first_one_is_shut_down(void **state)
{
    (void)state;
    struct probe *probe = new_probe();
    ftr_config config = FTR_CONFIG_INIT;
    start_with(&config, probe);
    pthread_mutex_lock(&probe->gate);
    record(1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, shut_down, NULL), 0);
    while (ftr_get_mode() != FTR_MODE_OFF)
        usleep(1000);
    const ftr_error error = refusal();
    assert_says(&error, "its ftr_shutdown has not returned yet");
    pthread_mutex_unlock(&probe->gate);
    pthread_join(thread, NULL);
    free(probe);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* as in fork_test.c */
static void test_in_a_forked_child(void **state)
{
    (void)state;
    char process[64];
    assert_int_equal(ftr_init(NULL, NULL), FTR_OK);
    snprintf(process, sizeof process, "in process %ld, which forked this one", (long)getpid());
    const pid_t child = fork();
    if (child == 0)
        _exit(strstr(refusal().text, process) ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(ftr_shutdown(5 * SECOND), FTR_OK);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_place_the_thread_the_service_and_the_time),
        cmocka_unit_test(test_without_a_place_the_address),
        cmocka_unit_test(test_a_long_place_is_cut_and_copied),
        cmocka_unit_test(test_while_the_first_one_is_shut_down),
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(test_in_a_forked_child),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
