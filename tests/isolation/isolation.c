/* SPDX-License-Identifier: Apache-2.0
 *
 * Two system and three user flows on four threads, interleaved as a seed says: contexts are
 * captured from anything that is open and attached anywhere, spans end on other threads than their
 * own. Each span says whose it is; each sink and each destination has to hold its own spans alone,
 * all of them, below parents and in traces of the same owner.
 *
 * Even seeds take turns, so that a seed is one interleaving; odd ones run freely. Every third seed
 * samples the system's traces out, every fifth switches its mode meanwhile; every second one is
 * exported as OTLP.
 *
 *     isolation [N [FIRST]]     else FTR_ISOLATION_SEEDS, 10000, and FTR_ISOLATION_FIRST, 1 */
#include <flowtrace/flowtrace.h>
#include <flowtrace/user_scope.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, STEPS = 40, DEPTH = 8, POOL = 12, FLOWS = 2, CUSTOMERS = 3, NOBODY = -1 };

/* Whose: 0 and 1 the flows, then the customers. */
enum { OWNERS = FLOWS + CUSTOMERS };

static const char *const names[OWNERS] = {"flow-0;", "flow-1;", "customer-0;", "customer-1;",
                                          "customer-2;"};
static const uint64_t wait_ns = UINT64_C(60000000000);

static uint64_t seed;

static _Noreturn void fail(const char *what, const char *more)
{
    printf("seed %llu: %s %s\n", (unsigned long long)seed, what, more);
    exit(1);
}

/* ---- chance ---- */

struct chance {
    uint64_t state;
};

static uint64_t chance(struct chance *self, uint64_t n)
{
    uint64_t x = self->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return ((x ^ x >> 31) >> 8) % n;
}

/* ---- what ought to be ---- */

struct owners {
    int system; /* NOBODY, or whose the current spans are */
    int user;
};

static _Atomic uint64_t n_started[OWNERS];

struct open {
    ftr_dual_span span; /* what ends with it */
    ftr_attachment attachment;
    struct owners span_owners;
    struct owners before;
};

struct actor {
    struct chance chance;
    struct owners now;
    struct open stack[DEPTH];
    int depth;
};

/* Between threads. */
static struct {
    pthread_mutex_t lock;
    ftr_context contexts[POOL];
    struct owners owners[POOL];
    int n_contexts;
    ftr_dual_span spans[POOL];
    int n_spans;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- what is done ---- */

static void say_whose(ftr_span span, int owner)
{
    ftr_span_set_text(span, FTR_STR("who"), names[owner]);
    if (ftr_span_is_recording(span))
        atomic_fetch_add(&n_started[owner], 1);
}

/* A user span is there when there is somebody to have it. */
static void check_user(ftr_span span, int owner)
{
    if ((span.generation != 0) != (owner != NOBODY))
        fail("a user span", owner == NOBODY ? "without a root" : "is missing");
}

/* With nothing but its name, which says whose it is. */
static void record_short(struct actor *self)
{
    const struct owners now = self->now;
    if (now.system != NOBODY) {
        const ftr_span span =
            ftr_span_start(ftr_str_from(names[now.system]), FTR_KIND_INTERNAL, NULL);
        atomic_fetch_add(&n_started[now.system], ftr_span_is_recording(span));
        ftr_span_end(span);
    }
    if (now.user != NOBODY) {
        const ftr_span span =
            ftr_user_span_start(ftr_str_from(names[now.user]), FTR_KIND_INTERNAL, NULL);
        check_user(span, now.user);
        atomic_fetch_add(&n_started[now.user], 1);
        ftr_span_end(span);
    }
}

static void push(struct actor *self, ftr_dual_span span, struct owners span_owners,
                 ftr_context *context, struct owners after)
{
    self->stack[self->depth++] = (struct open){
        .span = span,
        .attachment = ftr_attach(context),
        .span_owners = span_owners,
        .before = self->now,
    };
    ftr_context_release(context);
    self->now = after;
}

static void start_system(struct actor *self, bool is_root)
{
    struct owners after = self->now;
    if (is_root || after.system == NOBODY)
        after.system = (int)chance(&self->chance, FLOWS);
    const ftr_span_options options = {
        .size = sizeof options,
        .name = FTR_STR("system"),
        .is_root = is_root || self->now.system == NOBODY,
    };
    const ftr_dual_span span = {.system = ftr_span_start_with(&options)};
    say_whose(span.system, after.system);
    ftr_context context = ftr_span_context_of(span.system);
    if (!ftr_trace_id_is_valid(&context.span.trace_id))
        after.system = NOBODY; /* the mode is off */
    push(self, span, (struct owners){after.system, NOBODY}, &context, after);
}

static void start_customer(struct actor *self)
{
    const int owner = FLOWS + (int)chance(&self->chance, CUSTOMERS);
    const ftr_str text = ftr_str_from(names[owner]);
    const ftr_routing routing = ftr_text_routing_of(&text);
    const ftr_dual_span span = {.user = ftr_user_trace_start(FTR_STR("customer"), &routing, NULL)};
    if (span.user.generation == 0)
        fail("no root for", names[owner]);
    say_whose(span.user, owner);
    ftr_context context = ftr_span_context_of(span.user);
    push(self, span, (struct owners){NOBODY, owner}, &context,
         (struct owners){self->now.system, owner});
}

static void start_user(struct actor *self)
{
    const ftr_dual_span span = {.user =
                                    ftr_user_span_start(FTR_STR("child"), FTR_KIND_INTERNAL, NULL)};
    check_user(span.user, self->now.user);
    if (self->now.user == NOBODY)
        return;
    say_whose(span.user, self->now.user);
    ftr_context context = ftr_span_context_of(span.user);
    push(self, span, (struct owners){NOBODY, self->now.user}, &context, self->now);
}

static void start_dual(struct actor *self)
{
    struct owners after = self->now;
    if (after.system == NOBODY)
        return;
    const ftr_dual_span span = ftr_dual_span_start(FTR_STR("dual"), FTR_KIND_INTERNAL, NULL);
    check_user(span.user, after.user);
    say_whose(span.system, after.system);
    if (after.user != NOBODY)
        say_whose(span.user, after.user);
    ftr_context context = ftr_dual_span_context_of(span);
    if (!ftr_trace_id_is_valid(&context.span.trace_id))
        after.system = NOBODY;
    push(self, span, after, &context, after);
}

static void fork_trace(struct actor *self)
{
    struct owners after = self->now;
    const ftr_dual_span span = {.system = ftr_span_fork(FTR_STR("fork"), FTR_KIND_INTERNAL, NULL)};
    if (span.system.generation == 0)
        return;
    say_whose(span.system, after.system);
    ftr_context context = ftr_span_context_of(span.system);
    push(self, span, (struct owners){after.system, NOBODY}, &context, after);
}

static void run_scopes(struct actor *self)
{
    if (self->now.system == NOBODY)
        return;
    FTR_DUAL_SPAN(outer, "a scope of both");
    FTR_SPAN(inner, "a scope");
    FTR_USER_SPAN(user, "a user's scope");
    check_user(outer.user, self->now.user);
    check_user(user.user, self->now.user);
    say_whose(outer.span, self->now.system);
    say_whose(inner.span, self->now.system);
    if (self->now.user == NOBODY)
        return;
    say_whose(outer.user, self->now.user);
    say_whose(user.user, self->now.user);
}

static void finish(struct actor *self)
{
    if (self->depth == 0)
        return;
    struct open *top = &self->stack[--self->depth];
    ftr_detach(top->attachment);
    ftr_dual_span_end(top->span);
    self->now = top->before;
}

/* Somebody else ends it. */
static void hand_over(struct actor *self)
{
    pthread_mutex_lock(&pool.lock);
    if (self->depth > 0 && pool.n_spans < POOL) {
        struct open *top = &self->stack[--self->depth];
        ftr_detach(top->attachment);
        pool.spans[pool.n_spans++] = top->span;
        self->now = top->before;
    } else if (pool.n_spans > 0) {
        ftr_dual_span_end(pool.spans[--pool.n_spans]);
    }
    pthread_mutex_unlock(&pool.lock);
}

/* Of what is current, or of anything that is open here. */
static ftr_context take_context(struct actor *self, struct owners *ret_owners)
{
    *ret_owners = self->now;
    if (self->depth == 0 || chance(&self->chance, 3) == 0)
        return ftr_context_current();
    const struct open *any = &self->stack[chance(&self->chance, (uint64_t)self->depth)];
    if (any->span.user.generation != 0)
        ret_owners->user = any->span_owners.user;
    if (any->span.user.generation != 0 && any->span_owners.system == NOBODY)
        return ftr_span_context_of(any->span.user);
    ret_owners->system = any->span_owners.system;
    if (any->span.user.generation != 0)
        return ftr_dual_span_context_of(any->span);
    return ftr_span_context_of(any->span.system);
}

static void capture(struct actor *self)
{
    struct owners owners;
    ftr_context context = take_context(self, &owners);
    if (!ftr_trace_id_is_valid(&context.span.trace_id))
        owners.system = NOBODY;
    pthread_mutex_lock(&pool.lock);
    if (pool.n_contexts < POOL) {
        pool.owners[pool.n_contexts] = owners;
        pool.contexts[pool.n_contexts++] = context;
    } else {
        const size_t i = chance(&self->chance, POOL);
        ftr_context_release(&pool.contexts[i]);
        pool.owners[i] = owners;
        pool.contexts[i] = context;
    }
    pthread_mutex_unlock(&pool.lock);
}

static void attach(struct actor *self)
{
    ftr_context context = FTR_CONTEXT_NONE;
    struct owners owners = {NOBODY, NOBODY};
    pthread_mutex_lock(&pool.lock);
    if (pool.n_contexts > 0) {
        const size_t i = chance(&self->chance, (uint64_t)pool.n_contexts);
        context = ftr_context_copy(&pool.contexts[i]);
        owners = pool.owners[i];
    }
    pthread_mutex_unlock(&pool.lock);
    const ftr_dual_span none = {{0, 0}, {0, 0}};
    push(self, none, (struct owners){NOBODY, NOBODY}, &context, owners);
}

static void step(struct actor *self)
{
    if (self->depth == DEPTH) {
        finish(self);
        return;
    }
    switch (chance(&self->chance, 18)) {
    case 0:
        start_system(self, true);
        break;
    case 1:
    case 2:
        start_system(self, false);
        break;
    case 3:
    case 4:
        start_customer(self);
        break;
    case 5:
    case 6:
        start_user(self);
        break;
    case 7:
    case 8:
        start_dual(self);
        break;
    case 9:
        fork_trace(self);
        break;
    case 10:
        run_scopes(self);
        break;
    case 11:
        hand_over(self);
        break;
    case 12:
        capture(self);
        break;
    case 13:
        attach(self);
        break;
    case 14:
    case 15:
        record_short(self);
        break;
    default:
        finish(self);
    }
}

/* ---- four threads ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int whose; /* turn: a thread's number; THREADS: the conductor's */
} turn = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, THREADS};

static bool takes_turns;
static bool changes_mode;

static void wait_turn(int whose)
{
    pthread_mutex_lock(&turn.lock);
    while (turn.whose != whose)
        pthread_cond_wait(&turn.changed, &turn.lock);
    pthread_mutex_unlock(&turn.lock);
}

static void pass_turn(int whose)
{
    pthread_mutex_lock(&turn.lock);
    turn.whose = whose;
    pthread_cond_broadcast(&turn.changed);
    pthread_mutex_unlock(&turn.lock);
}

static void *act(void *argument)
{
    const int number = (int)(intptr_t)argument;
    struct actor self = {.chance = {seed * THREADS + (uint64_t)number}, .now = {NOBODY, NOBODY}};
    for (int i = 0; i < STEPS; i++) {
        if (takes_turns)
            wait_turn(number);
        if (changes_mode && number == 0 && i % 7 == 6)
            ftr_set_mode(i % 2 ? FTR_MODE_OFF : FTR_MODE_FULL);
        step(&self);
        if (takes_turns)
            pass_turn(THREADS);
    }
    while (self.depth > 0)
        finish(&self);
    return NULL;
}

/* Every thread has its steps, in an order that the seed says. */
static void conduct(void)
{
    struct chance order = {seed};
    int left[THREADS];
    int n_left = THREADS * STEPS;
    for (int i = 0; i < THREADS; i++)
        left[i] = STEPS;
    for (; n_left > 0; n_left--) {
        int whose = (int)chance(&order, THREADS);
        while (left[whose] == 0)
            whose = (whose + 1) % THREADS;
        left[whose]--;
        pass_turn(whose);
        wait_turn(THREADS);
    }
}

static void run_threads(void)
{
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, act, (void *)i) != 0)
            fail("no thread", "");
    if (takes_turns)
        conduct();
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    for (; pool.n_spans > 0; pool.n_spans--)
        ftr_dual_span_end(pool.spans[pool.n_spans - 1]);
    for (; pool.n_contexts > 0; pool.n_contexts--)
        ftr_context_release(&pool.contexts[pool.n_contexts - 1]);
}

/* ---- the sinks ---- */

struct seen {
    ftr_span_context context;
    ftr_span_id parent;
    int owner;
};

struct sink {
    bool is_users;
    uint64_t n[OWNERS];
    struct seen *spans;
    size_t n_spans;
    size_t room;
};

static struct sink sinks[2] = {{.is_users = false}, {.is_users = true}};

static int owner_of(ftr_str text)
{
    for (int i = 0; i < OWNERS; i++)
        if (text.len == strlen(names[i]) && memcmp(text.data, names[i], text.len) == 0)
            return i;
    fail("nobody is called", "so");
}

/* By its attribute, or its name. The marker of a fork says nothing: NOBODY. */
static int owner_of_span(const ftr_span_data *span)
{
    for (size_t i = 0; i < span->n_attributes; i++)
        if (span->attributes[i].key.len == 3 && memcmp(span->attributes[i].key.data, "who", 3) == 0)
            return owner_of(span->attributes[i].value.as.str);
    return span->name.data[0] == '[' ? NOBODY : owner_of(span->name);
}

static void check_place(const struct sink *sink, int owner, ftr_str routing)
{
    if (owner == NOBODY ? sink->is_users : (owner >= FLOWS) != sink->is_users)
        fail("in the wrong sink:", owner == NOBODY ? "a marker" : names[owner]);
    if (sink->is_users && owner_of(routing) != owner)
        fail("at another customer's:", names[owner]);
    if (!sink->is_users && routing.len != 0)
        fail("a routing on", "a system span");
}

static void keep(struct sink *sink, const struct seen *seen)
{
    if (sink->n_spans == sink->room) {
        sink->room = sink->room ? sink->room * 2 : 256;
        sink->spans = realloc(sink->spans, sink->room * sizeof *sink->spans);
        if (!sink->spans)
            fail("out of", "memory");
    }
    sink->spans[sink->n_spans++] = *seen;
}

static void take_span(struct sink *sink, const ftr_span_data *span, ftr_str routing)
{
    const int owner = owner_of_span(span);
    check_place(sink, owner, routing);
    if (owner == NOBODY)
        return;
    sink->n[owner]++;
    const struct seen seen = {span->context, span->parent_span_id, owner};
    keep(sink, &seen);
}

/* As often as a name is there, so many spans are: each says it once. */
static uint64_t count_name(const ftr_export_batch *batch, const char *name)
{
    const uint8_t *at = batch->otlp;
    const uint8_t *const end = at + batch->otlp_len;
    uint64_t n = 0;
    while ((at = memmem(at, (size_t)(end - at), name, strlen(name)))) {
        at += strlen(name);
        n++;
    }
    return n;
}

static void take_otlp(struct sink *sink, const ftr_export_batch *batch)
{
    for (int owner = 0; owner < OWNERS; owner++) {
        const uint64_t n = count_name(batch, names[owner]);
        if (n > 0)
            check_place(sink, owner, batch->routing);
        sink->n[owner] += n;
    }
}

static void export_batch(void *instance, const ftr_export_batch *batch, uint64_t deadline_ns,
                         ftr_export_result *ret_result)
{
    (void)deadline_ns;
    struct sink *sink = instance;
    if (batch->otlp)
        take_otlp(sink, batch);
    for (size_t i = 0; batch->spans && i < batch->n_spans; i++)
        take_span(sink, &batch->spans[i], batch->routing);
    ret_result->n_delivered = batch->n_spans;
}

/* ---- a seed ---- */

static const struct seen *find(const struct sink *sink, const ftr_span_id *id)
{
    for (size_t i = 0; i < sink->n_spans; i++)
        if (memcmp(&sink->spans[i].context.span_id, id, sizeof *id) == 0)
            return &sink->spans[i];
    return NULL;
}

static void check_kin(const struct sink *sink, const struct sink *other)
{
    for (size_t i = 0; i < sink->n_spans; i++) {
        const struct seen *span = &sink->spans[i];
        const struct seen *parent = find(sink, &span->parent);
        if (parent && (parent->owner != span->owner ||
                       memcmp(&parent->context.trace_id, &span->context.trace_id, 16) != 0))
            fail("below another's span:", names[span->owner]);
        if (find(other, &span->parent))
            fail("below the other pipeline's span:", names[span->owner]);
    }
}

static void check_counts(void)
{
    ftr_statistics users = {.size = sizeof users};
    ftr_get_user_statistics(&users);
    uint64_t n_user = 0;
    for (int i = FLOWS; i < OWNERS; i++) {
        const uint64_t n = atomic_load(&n_started[i]);
        n_user += n;
        if (sinks[1].n[i] != n)
            fail("not all spans arrived of", names[i]);
    }
    for (int i = 0; i < FLOWS; i++)
        if (sinks[0].n[i] != atomic_load(&n_started[i]))
            fail("not all spans arrived of", names[i]);
    if (users.started != n_user || users.ended != n_user || users.open != 0 ||
        users.exporters[0].delivered != n_user)
        fail("the accounts of users", "do not balance");
}

static ftr_exporter *new_exporter(struct sink *sink, const ftr_exporter_class *exporter_class)
{
    memset(sink->n, 0, sizeof sink->n);
    sink->n_spans = 0;
    return ftr_exporter_new(exporter_class, sink);
}

static void run_seed(void)
{
    static const ftr_exporter_class as_spans = {.size = sizeof as_spans,
                                                .name = "sink",
                                                .form = FTR_EXPORT_SPANS,
                                                .export_batch = export_batch};
    static const ftr_exporter_class as_otlp = {.size = sizeof as_otlp,
                                               .name = "sink",
                                               .form = FTR_EXPORT_OTLP,
                                               .export_batch = export_batch};
    const ftr_exporter_class *form = seed / 2 % 2 ? &as_otlp : &as_spans;
    ftr_config config = FTR_CONFIG_INIT;
    ftr_user_config user = FTR_USER_CONFIG_INIT;
    ftr_exporter *exporter = new_exporter(&sinks[0], form);
    ftr_error error;
    user.is_enabled = true;
    user.exporter = new_exporter(&sinks[1], form);
    config.exporters = &exporter;
    config.n_exporters = 1;
    config.user = &user;
    config.open_spans = 256;
    config.journal_bytes = (size_t)1 << 20;
    config.sampler = seed % 3 == 0 ? FTR_STR("always_off") : FTR_STR("always_on");
    if (ftr_init(&config, &error) != FTR_OK)
        fail("no session:", error.text);
    for (int i = 0; i < OWNERS; i++)
        atomic_store(&n_started[i], 0);
    takes_turns = seed % 2 == 0;
    changes_mode = seed % 5 == 0;
    run_threads();
    if (ftr_shutdown(wait_ns) != FTR_OK)
        fail("no end", "in time");
    check_counts();
    check_kin(&sinks[0], &sinks[1]);
    check_kin(&sinks[1], &sinks[0]);
}

static uint64_t number(const char *text, const char *variable, uint64_t otherwise)
{
    if (!text)
        text = getenv(variable);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const uint64_t n = number(argc > 1 ? argv[1] : NULL, "FTR_ISOLATION_SEEDS", 10000);
    const uint64_t first = number(argc > 2 ? argv[2] : NULL, "FTR_ISOLATION_FIRST", 1);
    uint64_t n_spans[2] = {0, 0};
    for (seed = first; seed < first + n; seed++) {
        run_seed();
        for (int i = 0; i < OWNERS; i++)
            n_spans[i >= FLOWS] += atomic_load(&n_started[i]);
    }
    printf("%llu seeds: %llu system spans, %llu user spans, each where it belongs\n",
           (unsigned long long)n, (unsigned long long)n_spans[0], (unsigned long long)n_spans[1]);
    free(sinks[0].spans);
    free(sinks[1].spans);
    return n_spans[0] == 0 || n_spans[1] == 0;
}
