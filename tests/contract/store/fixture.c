/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/mem.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

static void on_settled(void *argument)
{
    struct fixture *self = argument;
    sem_post(&self->settled);
}

int fixture_setup(void **state)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    struct fixture *self = calloc(1, sizeof *self);
    assert_non_null(self);
    snprintf(self->directory, sizeof self->directory, "%s/store-test-XXXXXX", parent);
    assert_non_null(mkdtemp(self->directory));
    sem_init(&self->settled, 0, 0);
    store_options_default(&self->options, *state);
    self->options.directory = self->directory;
    self->options.retention_ns = 0; /* the samples' times are not of today */
    self->options.on_settled = on_settled;
    self->options.argument = self;
    fixture_open(self);
    *state = self;
    return 0;
}

void fixture_remove_files(const struct fixture *self)
{
    DIR *stream = opendir(self->directory);
    assert_non_null(stream);
    struct dirent *entry;
    while ((entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(stream), entry->d_name, 0), 0);
    closedir(stream);
}

int fixture_teardown(void **state)
{
    struct fixture *self = *state;
    ftri_mem_fail_at(0);
    ftri_time_real();
    fixture_close(self);
    fixture_remove_files(self);
    assert_int_equal(rmdir(self->directory), 0);
    sem_destroy(&self->settled);
    free(self);
    return 0;
}

void fixture_open(struct fixture *self)
{
    struct ftri_error error = {0};
    if (store_open(&self->options, &self->store, &error) < 0)
        fail_msg("%s", error.text);
}

void fixture_close(struct fixture *self)
{
    store_close(self->store);
    self->store = NULL;
}

bool fixture_is_sqlite(const struct fixture *self)
{
    return strcmp(self->options.type, "sqlite") == 0;
}

/* One call of on_settled; two minutes without one are a failure. */
static void wait_for_settled(struct fixture *self)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 120;
    while (sem_timedwait(&self->settled, &deadline) < 0)
        assert_int_equal(errno, EINTR);
}

void fixture_collect(struct fixture *self)
{
    struct store_settled settled[7];
    size_t n;
    while ((n = store_collect(self->store, settled, FTRI_COUNT(settled))) > 0) {
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(settled[i].error, 0);
            assert_true(settled[i].token < self->next_token);
            assert_false(self->has_settled[settled[i].token]);
            self->has_settled[settled[i].token] = true;
            self->n_settled++;
        }
    }
}

void fixture_append_payload(struct fixture *self, struct ftri_payload *payload,
                            uint64_t received_ns)
{
    int r;
    assert_true(self->next_token < FIXTURE_TOKENS_MAX);
    while ((r = store_append(self->store, payload, received_ns, self->next_token)) == STORE_BUSY)
        wait_for_settled(self);
    assert_int_equal(r, 0);
    self->next_token++;
    ftri_payload_unref(payload);
}

void fixture_append(struct fixture *self, const struct sample *samples, size_t n,
                    uint64_t received_ns)
{
    fixture_append_payload(self, sample_payload(samples, n), received_ns);
}

void fixture_settle(struct fixture *self)
{
    store_flush(self->store);
    fixture_collect(self);
    while (self->n_settled < self->next_token) {
        wait_for_settled(self);
        fixture_collect(self);
    }
}

struct store_statistics fixture_statistics(struct fixture *self)
{
    struct store_statistics statistics;
    store_get_statistics(self->store, &statistics);
    return statistics;
}

void fixture_get(struct fixture *self, uint64_t trace, struct store_result *ret_result)
{
    uint8_t trace_id[16];
    sample_trace_id(trace, trace_id);
    assert_int_equal(store_get_trace(self->store, trace_id, ret_result), 0);
}

static const struct ftri_otlp_span *find_span(const struct store_result *result, uint64_t span)
{
    uint8_t id[8];
    sample_span_id(span, id);
    const struct ftri_otlp_span *found = NULL;
    for (size_t i = 0; i < result->n_spans; i++) {
        if (memcmp(result->spans[i].span_id, id, 8) != 0)
            continue;
        assert_null(found); /* each once */
        found = &result->spans[i];
    }
    return found;
}

void fixture_check_trace(struct fixture *self, uint64_t trace, const struct sample *samples,
                         size_t n)
{
    struct store_result result;
    fixture_get(self, trace, &result);
    assert_int_equal(result.n_spans, n);
    assert_false(result.is_truncated);
    struct ftri_bytes bytes;
    ftri_bytes_init(&bytes, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        const struct ftri_otlp_span *span = find_span(&result, samples[i].span);
        assert_non_null(span);
        ftri_bytes_reset(&bytes);
        sample_encode(&samples[i], &bytes);
        assert_int_equal(span->bytes.len, bytes.len);
        assert_memory_equal(span->bytes.data, bytes.data, bytes.len);
        const ftr_str service = ftri_otlp_service_name(span->resource);
        assert_int_equal(service.len, strlen(samples[i].service));
        assert_memory_equal(service.data, samples[i].service, service.len);
    }
    ftri_bytes_deinit(&bytes);
    for (size_t i = 1; i < result.n_spans; i++)
        assert_true(result.spans[i - 1].start_time_ns <= result.spans[i].start_time_ns);
    store_result_deinit(&result);
}

static void add_name(void *argument, ftr_str name)
{
    assert_int_equal(ftri_bytes_append_str(argument, name), 0);
    assert_int_equal(ftri_bytes_append_char(argument, '\n'), 0);
}

void fixture_check_names(struct fixture *self, const char *service, const char *expected)
{
    struct ftri_bytes found;
    ftri_bytes_init(&found, 1 << 20);
    assert_int_equal(
        store_names(self->store, (ftr_str){service, strlen(service)}, add_name, &found), 0);
    assert_int_equal(ftri_bytes_append_char(&found, '\0'), 0);
    assert_string_equal((const char *)found.data, expected);
    ftri_bytes_deinit(&found);
}
