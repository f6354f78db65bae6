/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch on its way through the graph: a sealed payload shared by reference, and a context.
 * A pdata belongs to exactly one holder: a channel, a node, or the engine. It is made and given up
 * through node.h only. On the thread of the loop that has it. */
#pragma once

#include "base/list.h"

#include <flowtrace/flow.h>

struct frame;
struct ftri_payload;
struct records;

struct pdata {
    struct ftri_list link; /* the holder's */
    ftr_signal signal;
    struct ftri_payload *otlp;     /* telemetry: OTLP protobuf bytes; else NULL */
    struct records *records;       /* FTR_SIGNAL_RECORDS; else NULL */
    struct ftri_payload *metadata; /* engine/metadata.h; NULL: none */
    uint64_t n_items;              /* spans, points, log records, records */
    uint64_t n_bytes;
    uint64_t received_ns; /* wall clock of the receiver */
    uint32_t n_attempt;   /* 0: first delivery */
    bool is_untraced;     /* our own telemetry: no visit is recorded for it */
    /* The engine's: */
    struct ftr_hop hop;       /* flow context, port and send time */
    struct frame *frame;      /* who waits for the outcome of it */
    struct edge *edge;        /* the connection it travels or came by */
    struct node *holder;      /* whose node_* calls may give it up; NULL: a channel, or nobody */
    struct ftri_list in_hand; /* of the holder's list */
    uint64_t sent_ns;         /* CLOCK_MONOTONIC */
    uint64_t blocked_ns;      /* CLOCK_MONOTONIC since when it waits for room; 0: it does not */
    bool is_revoked;          /* taken from a node at the shutdown's deadline */
};

/* Replaces the payload; takes over the reference and drops the old one. */
void pdata_set_otlp(struct pdata *self, struct ftri_payload *otlp, uint64_t n_items);
void pdata_set_records(struct pdata *self, struct records *records);
/* Takes over the reference, as the two above; the payload stays. */
void pdata_set_metadata(struct pdata *self, struct ftri_payload *metadata);
