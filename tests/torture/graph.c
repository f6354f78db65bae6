/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph of the real nodes from YAML: built, started, run to the end of its files, drained. */
#include "files.h"
#include "graphs.h"

#include <unistd.h>

enum { FOLDERS = 4, FILES = 6 };

static const char text[] =
    "pipeline: torture\n"
    "nodes:\n"
    "  read: {type: receiver/files, config: {paths: [in]}}\n"
    "  filter: {type: processor/filter, config: {attribute: size, min: 1}}\n"
    "  route: {type: processor/route, config:\n"
    "    {routes: {logs: [.log, .gz]}, otherwise: rest}}\n"
    "  logs: {type: processor/parse}\n"
    "  rest: {type: processor/parse, config: {kind: text}}\n"
    "  gather: {type: processor/batch, config: {max_items: 8, max_delay: 20ms}}\n"
    "  again: {type: processor/retry, config: {initial_delay: 1ms,\n"
    "    max_delay: 5ms}}\n"
    "  write: {type: exporter/file, config: {path: out}}\n"
    "connections:\n"
    "  - {from: read, to: filter}\n"
    "  - {from: filter, to: route}\n"
    "  - {from: 'route[\"logs\"]', to: logs}\n"
    "  - {from: 'route[\"rest\"]', to: rest}\n"
    "  - {from: logs, to: gather}\n"
    "  - {from: rest, to: gather}\n"
    "  - {from: gather, to: again}\n"
    "  - {from: again, to: write}\n";

void torture_run(void)
{
    files_make(FOLDERS, FILES);
    torture_begin();
    struct graph_outcome outcome = graph_run_all(text);
    torture_end();
    graph_check_outcome(&outcome, FOLDERS * FILES, files_check_lines("out", 1));
    (void)unlink("out");
    outcome = graph_run_all(text);
    EXPECT_THAT(outcome.status == 0, "%s", outcome.error.text);
    EXPECT(files_check_lines("out", 1) == FOLDERS * FILES);
}
