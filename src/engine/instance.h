/* SPDX-License-Identifier: Apache-2.0
 *
 * One of the instances of a graph, as the files of engine/ see it: how loops wake each other, and
 * how they agree that all is done. */
#pragma once

#include "engine/account.h"

#include <stdatomic.h>

struct frame;
struct graph;
struct instances;

/* How far an instance is. */
enum rest {
    REST_NOT,
    REST_FINISHED, /* its receivers have finished, and nothing is in flight */
    REST_OVER,     /* its drain is over */
    RESTS
};

struct instance {
    struct instances *all;
    struct graph *graph;
    size_t index;
    _Atomic bool is_woken;
    struct frame *_Atomic answers; /* stack through frame.next_answer */
    uint32_t n_configured;         /* of those, that its nodes were told of */
    uint32_t epoch;                /* of the last sums; goes with what is handed over */
    struct account_sums sums;      /* of its own, as of the epoch */
    enum rest rest;
};

size_t instance_n_loops(const struct instance *self);
struct instance *instance_at(const struct instance *self, size_t loop);
/* Any thread; on_wakeup of its scheduler then calls instance_on_wake. */
void instance_wake(struct instance *self);
void instance_wake_others(const struct instance *self);
/* The loop's thread: takes what other loops handed over, and what they answered. */
void instance_on_wake(struct instance *self);
/* A batch of another loop's that was handed over after its sums of this epoch. */
void instance_reach(struct instance *self, uint32_t epoch);
/* Says how far this one is; true when all of them are. REST_NOT comes before anything is done. */
bool instance_rests(struct instance *self, enum rest rest);
/* Whether the callbacks are this one's to make; else the first is woken to look for itself. */
bool instance_is_first(const struct instance *self);
/* This instance's drain is done; true for the first when that of all is. */
void instance_set_done(struct instance *self);
bool instance_all_done(const struct instance *self);
/* A graph with a node that has failed; NULL: none. */
void instance_set_failed(struct instance *self);
const struct graph *instance_failed(const struct instance *self);
