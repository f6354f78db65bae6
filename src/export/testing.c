/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests that run side by side, with a sink for each pipeline. Two locks: set_up keeps the library's
 * beginning and end together and is never held by an exporting thread; the registry's guards the
 * list that exporting reads. */
#include "base/bytes.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/random.h"
#include "export/test_tree.h"
#include "trace/exporter.h"
#include "trace/user.h"

#include <errno.h>
#include <flowtrace/live.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { TRACES_MAX = 64 };
#define FLUSH_NS (UINT64_C(30) * 1000000000)
#define DIFFERENCE_LIMIT ((size_t)64 << 20)

enum which { SYSTEM, USER, N_SINKS };

/* The spans of one pipeline. */
struct sink {
    ftr_memory_spans *spans;
    ftr_exporter *keeper;            /* into spans */
    ftr_trace_id traces[TRACES_MAX]; /* under the registry's lock, as the next */
    size_t n_traces;
    size_t n_lost;    /* spans, as memory was short */
    size_t n_refused; /* traces that found no place */
};

struct ftr_test {
    struct ftri_list entry;
    struct sink sinks[N_SINKS];
    ftr_context context;
    ftr_attachment attachment;
};

static struct {
    pthread_mutex_t lock;
    struct ftri_list tests;
    size_t n_exporters;
} registry = {PTHREAD_MUTEX_INITIALIZER, {&registry.tests, &registry.tests}, 0};

static struct {
    pthread_mutex_t lock;
    size_t n_tests;
    bool is_ours; /* the library was initialised here */
} set_up = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the exporter ---- */

static bool has_trace(const struct sink *self, const ftr_trace_id *trace_id)
{
    for (size_t i = 0; i < self->n_traces; i++)
        if (memcmp(&self->traces[i], trace_id, sizeof *trace_id) == 0)
            return true;
    return false;
}

static bool add_trace(struct sink *self, const ftr_trace_id *trace_id)
{
    const bool has_room = self->n_traces < TRACES_MAX;
    if (has_room)
        self->traces[self->n_traces++] = *trace_id;
    return has_room;
}

/* With the registry's lock. */
static ftr_test *find_test(enum which which, const ftr_trace_id *trace_id)
{
    for (struct ftri_list *entry = registry.tests.next; entry != &registry.tests;
         entry = entry->next) {
        ftr_test *test = FTRI_CONTAINER(entry, ftr_test, entry);
        if (has_trace(&test->sinks[which], trace_id))
            return test;
    }
    return NULL;
}

/* False: memory is short. */
static bool keep(struct sink *self, const ftr_span_data *span, ftr_str routing)
{
    const ftr_export_batch batch = {
        .size = sizeof batch, .n_spans = 1, .spans = span, .routing = routing};
    ftr_export_result result = {0};
    self->keeper->exporter_class->export_batch(self->keeper->instance, &batch, 0, &result);
    self->n_lost += result.n_lost;
    return result.n_lost == 0;
}

static void hand_over(enum which which, const ftr_export_batch *batch,
                      ftr_export_result *ret_result)
{
    pthread_mutex_lock(&registry.lock);
    for (size_t i = 0; i < batch->n_spans; i++) {
        ftr_test *test = find_test(which, &batch->spans[i].context.trace_id);
        if (!test || keep(&test->sinks[which], &batch->spans[i], batch->routing))
            ret_result->n_delivered++;
        else
            ret_result->n_lost++;
    }
    pthread_mutex_unlock(&registry.lock);
}

static void export_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    hand_over(SYSTEM, batch, ret_result);
}

static void export_user_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                              ftr_export_result *ret_result)
{
    (void)instance, (void)deadline_ns;
    hand_over(USER, batch, ret_result);
}

static void count_exporter(size_t n)
{
    pthread_mutex_lock(&registry.lock);
    registry.n_exporters += n;
    pthread_mutex_unlock(&registry.lock);
}

static void close_exporter(void *instance)
{
    (void)instance;
    count_exporter(SIZE_MAX);
}

static void renew_lock(void *instance)
{
    (void)instance;
    pthread_mutex_init(&registry.lock, NULL);
}

static const ftr_exporter_class test_class = {
    .size = sizeof test_class,
    .name = "test",
    .form = FTR_EXPORT_SPANS,
    .export_batch = export_batch,
    .close = close_exporter,
    .after_fork = renew_lock,
};

ftr_exporter *ftr_test_exporter_new(void)
{
    ftr_exporter *exporter = ftr_exporter_new(&test_class, NULL);
    if (exporter)
        count_exporter(1);
    return exporter;
}

ftr_exporter *ftr_test_user_exporter_new(void)
{
    static const ftr_exporter_class user_class = {
        .size = sizeof user_class,
        .name = "test/user",
        .form = FTR_EXPORT_SPANS,
        .export_batch = export_user_batch,
        .after_fork = renew_lock,
    };
    return ftr_exporter_new(&user_class, NULL);
}

/* A user trace belongs to the test that is current where it starts. */
static void on_user_root(const ftr_trace_id *system, const ftr_trace_id *user)
{
    pthread_mutex_lock(&registry.lock);
    ftr_test *test = find_test(SYSTEM, system);
    if (test && !add_trace(&test->sinks[USER], user))
        test->sinks[USER].n_refused++;
    pthread_mutex_unlock(&registry.lock);
}

/* ---- a test ---- */

static ftr_status fail(ftr_error *error, ftr_status status, const char *text)
{
    if (error) {
        error->status = status;
        snprintf(error->text, sizeof error->text, "%s", text);
    }
    return status;
}

static ftr_status try_init(ftr_exporter *exporter, ftr_exporter *user_exporter, ftr_error *error)
{
    ftr_config config = {.size = sizeof config, .place = "ftr_test_begin"};
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    user.is_enabled = true;
    user.exporter = user_exporter;
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.user = &user;
    return exporter && user_exporter ? ftr_init(&config, error)
                                     : fail(error, FTR_ERR_MEMORY, "out of memory");
}

/* With set_up's lock. */
static ftr_status init_library(ftr_error *error)
{
    ftr_exporter *exporter = ftr_test_exporter_new();
    ftr_exporter *user_exporter = ftr_test_user_exporter_new();
    const ftr_status status = try_init(exporter, user_exporter, error);
    set_up.is_ours = status == FTR_OK;
    if (status == FTR_OK)
        return FTR_OK;
    ftr_exporter_free(exporter);
    ftr_exporter_free(user_exporter);
    pthread_mutex_lock(&registry.lock);
    const bool is_there = registry.n_exporters > 0;
    pthread_mutex_unlock(&registry.lock);
    if (status != FTR_ERR_STATE || is_there)
        return status == FTR_ERR_STATE ? FTR_OK : status;
    return fail(error, FTR_ERR_STATE,
                "the library is initialised without a test exporter: give ftr_init one of "
                "ftr_test_exporter_new");
}

static ftr_status enter(ftr_error *error)
{
    pthread_mutex_lock(&set_up.lock);
    const ftr_status status = set_up.n_tests > 0 ? FTR_OK : init_library(error);
    set_up.n_tests += status == FTR_OK;
    pthread_mutex_unlock(&set_up.lock);
    return status;
}

static void leave(void)
{
    pthread_mutex_lock(&set_up.lock);
    if (--set_up.n_tests == 0 && set_up.is_ours) {
        (void)ftr_shutdown(FLUSH_NS);
        set_up.is_ours = false;
    }
    pthread_mutex_unlock(&set_up.lock);
}

static void free_test(ftr_test *self)
{
    for (size_t i = 0; i < N_SINKS; i++) {
        ftr_exporter_free(self->sinks[i].keeper);
        ftr_memory_spans_unref(self->sinks[i].spans);
    }
    ftri_free(self);
}

static bool make_sink(struct sink *self)
{
    self->spans = ftr_memory_spans_new();
    self->keeper = self->spans ? ftr_memory_exporter_new(self->spans) : NULL;
    return self->keeper != NULL;
}

static ftr_test *new_test(void)
{
    ftr_test *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    if (!make_sink(&self->sinks[SYSTEM]) || !make_sink(&self->sinks[USER])) {
        free_test(self);
        return NULL;
    }
    const uint64_t ids[3] = {ftri_random_u64(), ftri_random_u64() | 1, ftri_random_u64() | 1};
    memcpy(&self->context.span.trace_id, ids, sizeof(ftr_trace_id));
    memcpy(&self->context.span.span_id, &ids[2], sizeof(ftr_span_id));
    self->context.span.trace_flags = FTR_TRACE_FLAG_SAMPLED | FTR_TRACE_FLAG_RANDOM;
    (void)add_trace(&self->sinks[SYSTEM], &self->context.span.trace_id);
    return self;
}

ftr_test *ftr_test_begin(ftr_error *error)
{
    ftr_test *self = new_test();
    if (!self) {
        (void)fail(error, FTR_ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (enter(error) != FTR_OK) {
        free_test(self);
        return NULL;
    }
    pthread_mutex_lock(&registry.lock);
    ftri_list_append(&registry.tests, &self->entry);
    atomic_store(&ftri_user_listener, on_user_root);
    pthread_mutex_unlock(&registry.lock);
    self->attachment = ftr_attach(&self->context);
    return self;
}

void ftr_test_end(ftr_test *self)
{
    if (!self)
        return;
    ftr_detach(self->attachment);
    pthread_mutex_lock(&registry.lock);
    ftri_list_unlink(&self->entry);
    pthread_mutex_unlock(&registry.lock);
    free_test(self);
    leave();
}

const ftr_context *ftr_test_context(const ftr_test *self)
{
    return &self->context;
}

bool ftr_test_add_trace(ftr_test *self, const ftr_trace_id *trace_id)
{
    pthread_mutex_lock(&registry.lock);
    const bool is_added = add_trace(&self->sinks[SYSTEM], trace_id);
    pthread_mutex_unlock(&registry.lock);
    return is_added;
}

static ftr_memory_spans *spans_of(ftr_test *self, enum which which)
{
    (void)ftr_flush(FLUSH_NS);
    return self->sinks[which].spans;
}

ftr_memory_spans *ftr_test_spans(ftr_test *self)
{
    return spans_of(self, SYSTEM);
}

ftr_memory_spans *ftr_test_user_spans(ftr_test *self)
{
    return spans_of(self, USER);
}

/* ---- comparing ---- */

static ftr_test_shown complete(const ftr_test_shown *shown)
{
    ftr_test_shown all = {.size = sizeof all};
    if (shown)
        memcpy(&all, shown, ftri_size_min(shown->size, sizeof all));
    return all;
}

static int make_recorded(ftr_test *self, enum which which, const ftr_test_shown *shown,
                         struct ftri_test_tree *tree)
{
    const int rc = ftri_test_tree_of_spans(tree, spans_of(self, which), shown);
    return rc == 0 && shown->any_order ? ftri_test_tree_sort(tree) : rc;
}

static size_t copy_text(const struct ftri_bytes *from, char *ret_text, size_t room)
{
    const size_t n = room ? ftri_size_min(from->len, room - 1) : 0;
    if (n > 0)
        memcpy(ret_text, from->data, n);
    if (room)
        ret_text[n] = '\0';
    return from->len;
}

static size_t write_tree(ftr_test *self, enum which which, const ftr_test_shown *shown,
                         char *ret_text, size_t room)
{
    const ftr_test_shown all = complete(shown);
    struct ftri_test_tree tree;
    struct ftri_bytes text;
    ftri_test_tree_init(&tree);
    ftri_bytes_init(&text, DIFFERENCE_LIMIT);
    int rc = make_recorded(self, which, &all, &tree);
    if (rc == 0)
        rc = ftri_test_write_tree(&text, &tree.top);
    const size_t len = copy_text(&text, ret_text, room);
    ftri_bytes_deinit(&text);
    ftri_test_tree_deinit(&tree);
    return rc == 0 ? len : SIZE_MAX;
}

size_t ftr_test_tree(ftr_test *self, const ftr_test_shown *shown, char *ret_text, size_t room)
{
    return write_tree(self, SYSTEM, shown, ret_text, room);
}

size_t ftr_test_user_tree(ftr_test *self, const ftr_test_shown *shown, char *ret_text, size_t room)
{
    return write_tree(self, USER, shown, ret_text, room);
}

struct open_spans {
    ftr_test *test;
    struct ftri_bytes *out;
    int rc;
};

static bool write_open(void *argument, const ftr_span_data *span)
{
    struct open_spans *self = argument;
    pthread_mutex_lock(&registry.lock);
    const bool is_ours = has_trace(&self->test->sinks[SYSTEM], &span->context.trace_id);
    pthread_mutex_unlock(&registry.lock);
    if (is_ours)
        self->rc = ftri_bytes_printf(self->out, "still open: %.*s\n", (int)span->name.len,
                                     span->name.data);
    return self->rc == 0;
}

/* Open user spans are nobody's to see. */
static int write_notes(ftr_test *self, enum which which, struct ftri_bytes *out)
{
    struct open_spans open = {.test = self, .out = out};
    pthread_mutex_lock(&registry.lock);
    const size_t n_lost = self->sinks[which].n_lost;
    const size_t n_refused = self->sinks[which].n_refused;
    pthread_mutex_unlock(&registry.lock);
    if (n_lost > 0)
        open.rc = ftri_bytes_printf(out, "lost, as memory was short: %zu\n", n_lost);
    if (n_refused > 0 && open.rc == 0)
        open.rc = ftri_bytes_printf(out, "traces that are not seen, beyond the first %d: %zu\n",
                                    TRACES_MAX, n_refused);
    if (open.rc == 0 && out->len > 0 && which == SYSTEM)
        (void)ftr_live_spans(write_open, &open);
    return open.rc;
}

/* Nothing: they match. */
static int write_difference(ftr_test *self, enum which which, const char *expected,
                            const ftr_test_shown *shown, struct ftri_test_tree trees[2],
                            struct ftri_bytes *out)
{
    size_t offset = 0;
    int rc = ftri_test_tree_parse(&trees[0], expected, &offset);
    if (rc == -EBADMSG)
        return ftri_bytes_printf(out, "the expected tree cannot be read from character %zu on\n",
                                 offset);
    if (rc == 0 && shown->any_order)
        rc = ftri_test_tree_sort(&trees[0]);
    if (rc == 0)
        rc = make_recorded(self, which, shown, &trees[1]);
    if (rc == -E2BIG)
        return ftri_bytes_printf(out, "the recorded tree is deeper than %d\n", FTRI_TEST_DEPTH_MAX);
    if (rc == 0)
        rc = ftri_test_write_difference(out, &trees[0], &trees[1]);
    return rc == 0 ? write_notes(self, which, out) : rc;
}

static bool matches(ftr_test *self, enum which which, const char *expected,
                    const ftr_test_shown *shown, char *ret_difference, size_t room)
{
    const ftr_test_shown all = complete(shown);
    struct ftri_test_tree trees[2];
    struct ftri_bytes text;
    ftri_test_tree_init(&trees[0]);
    ftri_test_tree_init(&trees[1]);
    ftri_bytes_init(&text, DIFFERENCE_LIMIT);
    const int rc = write_difference(self, which, expected, &all, trees, &text);
    const bool is_same = rc == 0 && text.len == 0;
    if (rc < 0 && room > 0)
        snprintf(ret_difference, room, "out of memory");
    else
        (void)copy_text(&text, ret_difference, room);
    ftri_bytes_deinit(&text);
    ftri_test_tree_deinit(&trees[0]);
    ftri_test_tree_deinit(&trees[1]);
    return is_same;
}

bool ftr_test_matches(ftr_test *self, const char *expected, const ftr_test_shown *shown,
                      char *ret_difference, size_t room)
{
    return matches(self, SYSTEM, expected, shown, ret_difference, room);
}

bool ftr_test_user_matches(ftr_test *self, const char *expected, const ftr_test_shown *shown,
                           char *ret_difference, size_t room)
{
    return matches(self, USER, expected, shown, ret_difference, room);
}
