/* SPDX-License-Identifier: Apache-2.0 */
#include "spans.h"

#include "act.h"
#include "story.h"

#include <flowtrace/flowtrace.h>
#include <string.h>

static const uint64_t patience_ns = UINT64_C(60000000000);

static struct {
    ftr_memory_spans *spans;
    size_t of_visit[VISITS_MAX]; /* index + 1; 0: none */
} recorded;

void spans_begin(void)
{
    memset(recorded.of_visit, 0, sizeof recorded.of_visit);
    recorded.spans = ftr_memory_spans_new();
    ftr_exporter *const memory = ftr_memory_exporter_new(recorded.spans);
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("simulate");
    config.exporters = &memory;
    config.n_exporters = 1;
    RULE(ftr_init(&config, NULL) == FTR_OK, "recording does not start");
}

static bool is_text(ftr_str a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

static const ftr_value *find(const ftr_attribute *attributes, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (is_text(attributes[i].key, key))
            return &attributes[i].value;
    return NULL;
}

/* By the mark that act.c left on it. */
static int visit_of(const ftr_span_data *span)
{
    for (size_t i = 0; i < span->n_events; i++)
        if (is_text(span->events[i].name, "sim.visit"))
            return (int)find(span->events[i].attributes, span->events[i].n_attributes, "visit")
                ->as.i64;
    return NO_INDEX;
}

static ftr_span_data span_of(int visit)
{
    ftr_span_data span = {0};
    const size_t i = recorded.of_visit[visit_owner(visit)];
    RULE(i > 0, "visit %d was not recorded", visit);
    RULE(ftr_memory_spans_get(recorded.spans, i - 1, &span), "no span %zu", i);
    return span;
}

static bool is_id(const ftr_span_id *a, const ftr_span_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static bool has_link(const ftr_span_data *span, const ftr_span_data *to)
{
    for (size_t i = 0; i < span->n_links; i++)
        if (is_id(&span->links[i].context.span_id, &to->context.span_id))
            return true;
    return false;
}

static int first_traced_input(const struct visit *self)
{
    int i = self->first_input;
    while (visit_at(model_input(i))->is_untraced)
        i++;
    return model_input(i);
}

/* Below the sender's; a merge below its first traced input, with links to the others. */
static void check_place(int visit, const ftr_span_data *span)
{
    const struct visit *const self = visit_at(visit);
    static const ftr_span_id none;
    const int above = self->n_inputs ? first_traced_input(self) : self->parent;
    const ftr_span_data parent = above == NO_INDEX ? (ftr_span_data){0} : span_of(above);
    const ftr_span_id *const beginning = self->is_foreign ? &act_foreign_origin.span_id : &none;
    RULE(is_id(&span->parent_span_id, above == NO_INDEX ? beginning : &parent.context.span_id),
         "the span of %d is not below that of %d", visit, above);
    for (size_t i = 0; i < self->n_inputs; i++) {
        const int input = model_input(self->first_input + (int)i);
        if (visit_at(input)->is_untraced)
            continue;
        const ftr_span_data contributor = span_of(input);
        RULE(visit_owner(input) == visit_owner(above) || self->n_inputs > 40 ||
                 has_link(span, &contributor),
             "the span of %d has no link to that of %d", visit, input);
    }
}

static void check_outcome(int visit, const ftr_span_data *span)
{
    const char *const expected = visit_succeeded(visit)         ? "success"
                                 : visit_at(visit)->is_at_fault ? "failure"
                                                                : "refused";
    const ftr_value *const outcome = find(span->attributes, span->n_attributes, "flow.outcome");
    RULE(outcome && is_text(outcome->as.str, expected), "the span of %d says %.*s and not %s",
         visit, outcome ? (int)outcome->as.str.len : 0, outcome ? outcome->as.str.data : "",
         expected);
}

/* Returns how many spans are not visits. */
static size_t find_visits(void)
{
    size_t n_others = 0;
    ftr_span_data span;
    for (size_t i = 0; ftr_memory_spans_get(recorded.spans, i, &span); i++) {
        const int visit = visit_of(&span);
        if (visit == NO_INDEX) {
            n_others++;
            continue;
        }
        RULE(!recorded.of_visit[visit], "visit %d was recorded twice", visit);
        recorded.of_visit[visit] = i + 1;
    }
    return n_others;
}

/* Of messages that may touch many flows there is one for each that a node handled, and one for the
 * drain and the shutdown as a whole. */
static size_t expected_others(void)
{
    static const enum control_kind kinds[] = {CONTROL_CONFIG, CONTROL_MEMORY_PRESSURE_CHANGED,
                                              CONTROL_DRAIN_INGRESS, CONTROL_SHUTDOWN};
    size_t n = stage.has_drained ? 2 : 0;
    for (size_t i = 0; i < stage.plan.n_nodes; i++)
        for (size_t j = 0; j < FTRI_COUNT(kinds); j++)
            n += stage.actors[i].n_told[kinds[j]];
    return n;
}

static void check_statistics(size_t n_spans)
{
    ftr_statistics counted = {.size = sizeof counted};
    ftr_get_statistics(&counted);
    RULE(counted.open == 0 && counted.started == counted.ended + counted.open,
         "started %llu, ended %llu, open %llu", (unsigned long long)counted.started,
         (unsigned long long)counted.ended, (unsigned long long)counted.open);
    RULE(counted.recorded + counted.lost_journal_full == counted.ended && counted.stale == 0 &&
             counted.no_slot == 0 && counted.recorded == n_spans,
         "recorded %llu, lost %llu, without slot %llu, stale %llu, delivered %zu",
         (unsigned long long)counted.recorded, (unsigned long long)counted.lost_journal_full,
         (unsigned long long)counted.no_slot, (unsigned long long)counted.stale, n_spans);
}

size_t spans_check(void)
{
    RULE(ftr_flush(patience_ns) == FTR_OK, "the spans do not arrive");
    const size_t n = ftr_memory_spans_count(recorded.spans);
    check_statistics(n);
    const size_t n_others = find_visits();
    RULE(n_others == expected_others(), "%zu spans of control messages, and %zu were handled",
         n_others, expected_others());
    for (size_t i = 0; i < visits_count(); i++) {
        if (visit_at((int)i)->origin != NO_INDEX || visit_at((int)i)->is_untraced)
            continue;
        const ftr_span_data span = span_of((int)i);
        check_place((int)i, &span);
        check_outcome((int)i, &span);
    }
    RULE(ftr_shutdown(patience_ns) == FTR_OK, "recording does not end");
    ftr_memory_spans_unref(recorded.spans);
    return n;
}
