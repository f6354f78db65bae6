/* SPDX-License-Identifier: Apache-2.0
 *
 * processor/balance: one of its ports gets the batch: the next in turn whose channel has room.
 * While none has, one batch is held for the first that will have, and the channel above fills: a
 * destination that hangs stops the others only when it has filled its channel and they have
 * filled theirs. A shutdown waits for no room: from then on batches go in turn. */
#include "nodes/processors/processors.h"

#include "base/error.h"
#include "base/time.h"
#include "engine/node.h"

#include <errno.h>
#include <string.h>

enum { PORTS_MAX = 32 };

/* How soon room is found that there was none. */
static const uint64_t LOOK_NS = FTRI_NS_PER_MS;

struct balance_options {
    struct option_list ports;
};

static const struct option rows[] = {
    {"ports", OPTION_STR_LIST, offsetof(struct balance_options, ports), .is_required = true,
     .sentence = "Names of the ports, at most 32."},
};

struct balance_state {
    size_t turn;
    struct pdata *held; /* nobody has room for it */
    bool is_shutting_down;
};

static size_t balance_ports(const void *values, const char **ret_names, size_t limit)
{
    const struct option_list *const ports = &((const struct balance_options *)values)->ports;
    size_t n = 0;
    for (; n < ports->n_items && n < limit; n++)
        ret_names[n] = ports->items[n];
    return n;
}

static bool is_twice(const struct option_list *ports, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(ports->items[k], ports->items[i]) == 0)
            return true;
    return false;
}

static int balance_check(const void *values, struct ftri_error *error)
{
    const struct option_list *const ports = &((const struct balance_options *)values)->ports;
    if (ports->n_items == 0 || ports->n_items > PORTS_MAX)
        return ftri_error_set(error, -EINVAL, "ports: expected 1 to %d names", (int)PORTS_MAX);
    for (size_t i = 0; i < ports->n_items; i++) {
        if (ports->items[i][0] == '\0')
            return ftri_error_set(error, -EINVAL, "ports: a name is empty");
        if (is_twice(ports, i))
            return ftri_error_set(error, -EINVAL, "ports: '%.60s' is there twice", ports->items[i]);
    }
    return 0;
}

/* False: no channel has room. */
static bool send_one(struct node *node, struct pdata *pdata)
{
    struct balance_state *const state = node_state(node);
    const size_t n_ports = node_n_ports(node);
    for (size_t i = 0; i < n_ports; i++) {
        const size_t port = (state->turn + i) % n_ports;
        if (!state->is_shutting_down && !node_port_has_room(node, port))
            continue;
        state->turn = (port + 1) % n_ports;
        node_send(node, port, pdata);
        return true;
    }
    return false;
}

static void hold(struct node *node, struct pdata *pdata)
{
    struct balance_state *const state = node_state(node);
    state->held = pdata;
    node_set_accepting(node, false);
    node_set_timer(node, LOOK_NS);
}

static void balance_consume(struct node *node, struct pdata *pdata)
{
    if (!send_one(node, pdata))
        hold(node, pdata);
}

static void balance_control(struct node *node, const struct control *message)
{
    struct balance_state *const state = node_state(node);
    if (message->kind == CONTROL_SHUTDOWN)
        state->is_shutting_down = true;
    else if (message->kind != CONTROL_TIMER_TICK)
        return;
    struct pdata *const held = state->held;
    state->held = NULL;
    if (!held)
        return;
    if (send_one(node, held))
        node_set_accepting(node, true);
    else
        hold(node, held);
}

const struct node_class processor_balance = {
    .type = "processor/balance",
    .kind = FTR_NODE_PROCESSOR,
    .sentence =
        "Sends each batch to one of its ports: in turn, past those whose channels are full.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct balance_options)},
    .configured_ports = balance_ports,
    .state_size = sizeof(struct balance_state),
    .is_stateful = true,
    .check = balance_check,
    .consume = balance_consume,
    .control = balance_control,
};
