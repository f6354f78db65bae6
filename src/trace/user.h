/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside the user pipeline: whether it is on, who is told of roots, what a routing says. */
#pragma once

#include "trace/routing.h"

#include <flowtrace/user.h>

/* The running session's number; 0 outside, and when the user pipeline is off. */
extern _Atomic uint32_t ftri_user_session;
/* Told of every user root: the trace that is current in the system pipeline, if any, and its own.
 * One function, or none. For the test kit; any thread. */
typedef void ftri_user_starting(const ftr_trace_id *system, const ftr_trace_id *user);
extern ftri_user_starting *_Atomic ftri_user_listener;

/* What a routing says, in the caller's room. */
struct ftri_routing_room {
    char key[FTR_ROUTING_KEY_MAX];
    char value[FTR_ROUTING_VALUE_MAX];
    struct ftri_routing_texts texts;
};

/* NULL, or what is wrong with it. */
const char *ftri_routing_ask(const ftr_routing *routing,
                             struct ftri_routing_room *ret_room) FTRI_MUST_CHECK;
