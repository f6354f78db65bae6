/* SPDX-License-Identifier: Apache-2.0
 *
 * What nodes do, done twice: in the engine and in the model. And what a node has in its hands. */
#pragma once

#include "engine/runtime.h"
#include "model.h"

enum { HANDS_MAX = 2048, N_CONTROLS = CONTROL_SHUTDOWN + 1 };

struct actor {
    const struct planned_node *plan;
    struct node *node;
    size_t index;
    struct held hands[HANDS_MAX]; /* pdata NULL: free */
    size_t n_hands, top;
    size_t n_ingested, n_unanswered;
    size_t n_consumed, n_consumed_at_shutdown;
    size_t n_told[N_CONTROLS]; /* control messages by kind */
    bool is_started, is_stopped, is_draining, is_drained, is_finished, is_accepting;
    bool waits_for_room;
    bool is_shut_down; /* as seen after the last step */
};

struct stage {
    struct plan plan;
    struct graph *graph;
    struct actor actors[NODES_MAX];
    bool has_drained;    /* graph_drain was called */
    bool may_lose;       /* a request for memory may have failed */
    bool is_forced;      /* the deadline of the drain has passed */
    bool is_over;        /* the run ends: nodes do nothing new */
    const char *failure; /* what the graph has to fail with; NULL: nothing */
    size_t failed_node;
    uint64_t deadline_ns;
    size_t n_stopped;
    size_t n_refusals;
};

extern struct stage stage;

struct held *hand_first(struct actor *self);
struct held *hand_next(struct actor *self, struct held *after);
struct held *hand_any(struct actor *self);
/* Returns what it held. */
struct held hand_free(struct actor *self, struct held *held);

/* Of what receivers take in some comes with this context. */
extern const ftr_span_context act_foreign_origin;

/* NULL: memory is short. */
struct held *act_ingest(struct actor *self);
struct held *act_arrive(struct actor *self, struct pdata *pdata);
struct held *act_derive(struct actor *self, struct held *from, uint32_t index, uint32_t count);
struct held *act_derive_watched(struct actor *self, struct held *from);
struct held *act_merge(struct actor *self, struct held **inputs, size_t n);
void act_send(struct actor *self, struct held *held, size_t port);
void act_ack(struct actor *self, struct held *held);
void act_nack(struct actor *self, struct held *held, const struct result *result);
void act_drop(struct actor *self, struct held *held, ftr_drop_reason reason);
void act_drop_some(struct actor *self, struct held *held);
void act_touch(struct actor *self, struct held *held);
void act_count_retry(struct actor *self, struct held *held);
/* One of the next requests for memory fails, in runs where that may be. */
void act_fail_memory(uint64_t within);
bool act_can_send(struct actor *self);
/* Before anything else in every callback: what was lost since the last one. */
void act_look_for_losses(const struct actor *consuming, const struct pdata *arriving);
/* The graph has failed with the node that broke a rule, or has not failed if none did. */
void act_check_failure(void);
/* The deadline has come: everything is taken. */
void act_force(void);
/* A refusal unlike any other. */
struct result act_refusal(void);
