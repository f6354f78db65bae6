/* SPDX-License-Identifier: Apache-2.0 */
#include "visits.h"

#include "base/time.h"
#include "story.h"

#include <string.h>

struct part {
    int next;
    int child; /* NO_INDEX: an answer, or a loss */
    uint64_t at;
    int result; /* of an answer: index of results; NO_INDEX: success */
};

static struct {
    struct visit visits[VISITS_MAX];
    int n_visits;
    struct part parts[PARTS_MAX];
    int n_parts;
    struct result results[PARTS_MAX];
    int n_results;
    uint64_t n_moments; /* what came before what */
    bool is_one_moment;
} all;

void visits_begin(void)
{
    all.n_visits = all.n_parts = all.n_results = 0;
    all.n_moments = 1;
    all.is_one_moment = false;
}

size_t visits_count(void)
{
    return (size_t)all.n_visits;
}

struct visit *visit_at(int visit)
{
    return &all.visits[visit];
}

int visit_owner(int visit)
{
    return visit_at(visit)->origin == NO_INDEX ? visit : visit_at(visit)->origin;
}

int visit_new(size_t node)
{
    RULE(all.n_visits < VISITS_MAX, "the model has no room for more visits");
    all.visits[all.n_visits] = (struct visit){
        .node = node,
        .origin = NO_INDEX,
        .parent = NO_INDEX,
        .first_part = NO_INDEX,
        .n_in_hand = 1,
        .arrived_ns = ftri_time_monotonic_ns(),
    };
    return all.n_visits++;
}

void visits_stop_time(bool is_one_moment)
{
    all.is_one_moment = is_one_moment;
}

void visit_add_part(int visit, int child, const struct result *result)
{
    RULE(all.n_parts < PARTS_MAX, "the model has no room for more parts");
    struct part *const part = &all.parts[all.n_parts];
    *part = (struct part){visit_at(visit)->first_part, child, all.n_moments, NO_INDEX};
    all.n_moments += !all.is_one_moment;
    if (result && !result->is_ack) {
        part->result = all.n_results++;
        all.results[part->result] = *result;
    }
    visit_at(visit)->first_part = all.n_parts++;
}

/* When and how a part ended; false: it did not. */
static bool part_ended(const struct part *part, uint64_t *ret_at, bool *ret_failed)
{
    *ret_at = part->at;
    *ret_failed = part->result != NO_INDEX;
    if (part->child == NO_INDEX)
        return true;
    if (!visit_look_at(part->child))
        return false;
    *ret_at = visit_at(part->child)->settled_at;
    *ret_failed = visit_at(part->child)->has_failed;
    return true;
}

bool visit_look_at(int visit)
{
    struct visit *const self = visit_at(visit);
    if (self->is_settled)
        return true;
    if (self->n_in_hand || self->n_in_transit)
        return false;
    uint64_t latest = 0;
    bool has_failed = false;
    for (int i = self->first_part; i != NO_INDEX; i = all.parts[i].next) {
        uint64_t at;
        bool failed;
        if (!part_ended(&all.parts[i], &at, &failed))
            return false;
        latest = at > latest ? at : latest;
        has_failed = has_failed || failed;
    }
    self->is_settled = true;
    self->settled_at = latest;
    self->has_failed = has_failed;
    return true;
}

static bool is_same(const struct result *a, const struct result *b)
{
    return a->is_ack == b->is_ack && a->is_permanent == b->is_permanent && a->cause == b->cause &&
           a->retry_after_ns == b->retry_after_ns && strcmp(a->reason, b->reason) == 0;
}

uint64_t visit_first_failure(int visit)
{
    uint64_t first = 0, at;
    bool failed;
    for (int i = visit_at(visit)->first_part; i != NO_INDEX; i = all.parts[i].next)
        if (part_ended(&all.parts[i], &at, &failed) && failed && (!first || at < first))
            first = at;
    return first;
}

/* Whether this may be the result of a settled visit: parts that failed at the same moment (they
 * meet again in one merge) have the choice. */
static bool may_be(int visit, const struct result *result)
{
    const uint64_t first = visit_first_failure(visit);
    if (!first)
        return result->is_ack;
    for (int i = visit_at(visit)->first_part; i != NO_INDEX; i = all.parts[i].next) {
        const struct part *const part = &all.parts[i];
        uint64_t at;
        bool failed;
        if (!part_ended(part, &at, &failed) || !failed || at != first)
            continue;
        if (part->child == NO_INDEX ? is_same(&all.results[part->result], result)
                                    : may_be(part->child, result))
            return true;
    }
    return false;
}

void visit_answer(int visit, const struct result *result)
{
    struct visit *const self = visit_at(visit);
    RULE(visit >= 0 && visit < all.n_visits && self->is_watched,
         "an answer to visit %d, which nobody watches", visit);
    RULE(!self->is_answered, "a second answer to visit %d", visit);
    RULE(visit_look_at(visit), "an answer to visit %d, which is not settled", visit);
    RULE(may_be(visit, result),
         "visit %d was answered %s, cause %d, %s, '%s': not what became of it", visit,
         result->is_ack ? "ack" : "nack", (int)result->cause,
         result->is_permanent ? "permanent" : "not permanent", result->reason);
    self->is_answered = true;
    if (self->origin != NO_INDEX)
        visit_at(self->origin)->has_refused_watched = !result->is_ack;
}

bool visits_are_settled(void)
{
    for (int i = 0; i < all.n_visits; i++)
        if (!visit_look_at(i))
            return false;
    return true;
}

int visits_unanswered(void)
{
    for (int i = 0; i < all.n_visits; i++)
        if (all.visits[i].is_watched && !all.visits[i].is_answered && visit_look_at(i))
            return i;
    return NO_INDEX;
}

bool visit_is_waited_for(int visit)
{
    const int owner = visit_owner(visit);
    for (int i = owner + 1; i < all.n_visits; i++)
        if (all.visits[i].origin == owner && !visit_look_at(i))
            return true;
    return false;
}

bool visit_succeeded(int visit)
{
    RULE(visit_look_at(visit), "visit %d is not settled", visit);
    return !visit_at(visit)->has_failed;
}
