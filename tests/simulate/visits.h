/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of batches. A visit is settled when all its parts are, and its result is that of the
 * part that failed first, or success. Parts are answers given at the node, batches lost on the way,
 * and the visits below (of a merge: the same one for each of its inputs). A watched copy is a visit
 * of its own here, whose `origin` is the visit that it works for. */
#pragma once

#include "engine/node.h"

enum { VISITS_SOFT = 1500, VISITS_MAX = 12000, PARTS_MAX = 60000 };

enum { NO_INDEX = -1 };

struct visit {
    size_t node;
    int origin;      /* of a watched copy; else NO_INDEX */
    int parent;      /* the sender's; NO_INDEX: began here, or a merge */
    int first_input; /* of a merge: in model_input */
    size_t n_inputs;
    bool is_source; /* began here */
    bool is_watched, is_answered;
    bool is_at_fault;         /* the first failure was this node's own */
    bool has_refused_watched; /* the latest answered copy that works for it failed */
    size_t n_in_hand, n_in_transit;
    uint64_t n_held; /* items that arrived with it and are not accounted for */
    uint64_t arrived_ns;
    bool is_foreign;  /* its context came from outside: act_foreign_origin */
    bool is_untraced; /* nothing is recorded */
    bool is_working;  /* its clock runs while the node holds it */
    int first_part;
    /* Once settled: */
    bool is_settled, has_failed;
    uint64_t settled_at;
};

void visits_begin(void);
size_t visits_count(void);
/* With one batch in hand. */
int visit_new(size_t node);
struct visit *visit_at(int visit);
/* The visit whose span a visit is recorded on. */
int visit_owner(int visit);
/* child: a visit below, or NO_INDEX; then result: how it ended here, NULL: well. */
void visit_add_part(int visit, int child, const struct result *result);
/* All that happens until it is taken back happens at the same moment. */
void visits_stop_time(bool is_one_moment);

/* Whether a visit is settled; if so, when and how is known from then on. */
bool visit_look_at(int visit);
/* The moment of a visit's first failure so far; 0: none. */
uint64_t visit_first_failure(int visit);
/* The answer to a watched visit: breaks a rule if it is early, wrong, or not the first. */
void visit_answer(int visit, const struct result *result);
/* Settled (a rule breaks if not), and with success. */
bool visit_succeeded(int visit);
/* Whether a watched copy that works for this visit is under way. */
bool visit_is_waited_for(int visit);
/* Every visit is settled. */
bool visits_are_settled(void);
/* The first watched visit that is settled and has not been answered; NO_INDEX: none. */
int visits_unanswered(void);
