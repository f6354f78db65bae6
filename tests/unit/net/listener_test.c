/* SPDX-License-Identifier: Apache-2.0
 *
 * Listen addresses, and what happens to the file of a Unix socket. */
#include "net/listener.h"

#include "served.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_exchange(void *argument, struct http_exchange *exchange)
{
    (void)argument, (void)exchange;
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        bool is_local;
    } rows[] = {
        {"127.0.0.1:0", 0, true},     {"localhost:80", 0, true},  {"0.0.0.0:1", 0, false},
        {"[::1]:65535", 0, true},     {"[::]:1", 0, false},       {"127.9.9.9:1", 0, true},
        {"unix:/tmp/x", 0, true},     {"unix:@x", 0, true},       {"unix:///tmp/x", 0, true},
        {"127.0.0.1", -EINVAL, 0},    {"127.0.0.1:", -EINVAL, 0}, {"127.0.0.1:65536", -EINVAL, 0},
        {"127.0.0.1:-1", -EINVAL, 0}, {"::1:80", -EINVAL, 0},     {"example.org:80", -EINVAL, 0},
        {":80", -EINVAL, 0},          {"unix:", -EINVAL, 0},      {"unix:x", -EINVAL, 0},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        struct listener_address address;
        struct ftri_error error = {""};
        assert_int_equal(listener_parse(rows[i].text, &address, &error), rows[i].result);
        if (rows[i].result == 0)
            assert_int_equal(listener_is_local(&address), rows[i].is_local);
        else
            assert_non_null(strstr(error.text, rows[i].text));
    }
}

static void test_a_unix_socket_replaces_only_a_dead_one(void **state)
{
    (void)state;
    char path[] = "/tmp/http_server_test.XXXXXX";
    assert_non_null(mkdtemp(path));
    char address[100];
    snprintf(address, sizeof address, "unix:%s/s", path);
    struct served other = {0};
    const struct http_handler handler = {on_exchange, on_exchange, NULL, NULL};
    struct http_limits limits;
    http_limits_default(&limits);
    served_start(&other, &limits, &handler, address);
    struct stat status;
    assert_int_equal(stat(address + 5, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    /* Alive: refused. */
    struct ftri_error error = {""};
    struct listener *second = NULL;
    const struct listener_options options = {address, NULL, NULL, NULL};
    assert_int_equal(listener_open(other.loop, &options, &second, &error), -EADDRINUSE);
    char process[64];
    snprintf(process, sizeof process, "process %ld listens there already", (long)getpid());
    assert_non_null(strstr(error.text, process));
    assert_non_null(strstr(error.text, address));
    char kept[110];
    snprintf(kept, sizeof kept, "%s.kept", address + 5);
    assert_int_equal(link(address + 5, kept), 0);
    served_stop(&other);
    assert_int_equal(stat(address + 5, &status), -1);
    /* Dead: replaced. */
    assert_int_equal(rename(kept, address + 5), 0);
    served_start(&other, &limits, &handler, address);
    served_stop(&other);
    /* A file: left alone. */
    FILE *file = fopen(address + 5, "w");
    assert_non_null(file);
    fclose(file);
    struct loop *loop = loop_new(&error);
    assert_int_equal(listener_open(loop, &options, &second, &error), -EEXIST);
    assert_non_null(strstr(error.text, "not a socket"));
    assert_int_equal(access(address + 5, F_OK), 0);
    loop_free(loop);
    assert_int_equal(unlink(address + 5), 0);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_a_unix_socket_replaces_only_a_dead_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
