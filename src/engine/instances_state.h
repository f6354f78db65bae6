/* SPDX-License-Identifier: Apache-2.0
 *
 * What the instances of a graph share. For instance.c and instances.c. */
#pragma once

#include "engine/instance.h"
#include "engine/instances.h"

struct instances {
    size_t n_loops;
    struct instance *instances; /* of one loop: without state, its graph alone */
    _Atomic size_t n_resting[RESTS];
    _Atomic bool is_over; /* all were over at one moment */
    _Atomic size_t n_done;
    struct graph *_Atomic failed;  /* the first that did */
    uint64_t half_ns, deadline_ns; /* written before is_draining, by the first */
    _Atomic bool is_draining;
    _Atomic uint32_t n_configured; /* times that there was a new configuration */
    _Atomic uint32_t epoch;        /* of the sums that are wanted */
    _Atomic size_t n_missing;
    struct account_sums sums;
    void (*on_collected)(void *argument); /* NULL: nobody waits; the first loop's */
    void *argument;
};

void instance_copy_accounts(struct instance *self);
/* The first loop: calls back when nothing is missing. */
void instances_look_at_sums(struct instances *self);
