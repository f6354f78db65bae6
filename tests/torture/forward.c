/* SPDX-License-Identifier: Apache-2.0
 *
 * Files sent on over HTTP, several requests at once, by a graph that tries again: the server
 * refuses every third request for a while. What it took and what the graph counted agree. */
#include "files.h"
#include "graphs.h"
#include "peer.h"

enum { FOLDERS = 6, FILES = 2, ITEMS = FOLDERS * FILES };

struct receiver {
    struct peer peer;
    size_t n_requests, n_items;
};

static int take_or_refuse(struct peer *peer, struct ftri_view body)
{
    struct receiver *self = FTRI_CONTAINER(peer, struct receiver, peer);
    if (++self->n_requests % 3 == 1)
        return 503;
    for (size_t i = 0; i < body.len; i++)
        self->n_items += body.data[i] == '\n';
    return 200;
}

static struct graph_outcome run_graph(struct receiver *receiver)
{
    char text[1024];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  read: {type: receiver/files, config: {paths: [in]}}\n"
             "  again: {type: processor/retry, config: {initial_delay: 1ms, max_delay: 5ms}}\n"
             "  post: {type: exporter/http, config: {url: 'http://127.0.0.1:%u/in'}}\n"
             "connections:\n"
             "  - {from: read, to: again}\n"
             "  - {from: again, to: post}\n",
             receiver->peer.port);
    receiver->n_requests = receiver->n_items = 0;
    return graph_run_all(text);
}

void torture_run(void)
{
    struct receiver receiver = {.peer.answer = take_or_refuse};
    files_make(FOLDERS, FILES);
    peer_open(&receiver.peer);
    torture_begin();
    struct graph_outcome outcome = run_graph(&receiver);
    torture_end();
    if (outcome.status == 0 && torture_has_struck())
        EXPECT(receiver.n_items >= outcome.n_acked); /* an answer may have been lost on its way */
    else
        EXPECT(receiver.n_items == (outcome.status == 0 ? ITEMS : 0));
    graph_check_outcome(&outcome, ITEMS, outcome.n_acked);
    outcome = run_graph(&receiver);
    EXPECT_THAT(outcome.status == 0, "%s", outcome.error.text);
    EXPECT(receiver.n_items == ITEMS);
    peer_close(&receiver.peer);
}
