/* SPDX-License-Identifier: Apache-2.0
 *
 * A graph of the real nodes from YAML: built, started, run to the end of its files, drained. */
#include "files.h"
#include "graphs.h"

#include <unistd.h>

enum { FOLDERS = 4, FILES = 6, ITEMS = FOLDERS * FILES + 1 };

static const char text[] =
    "pipeline: torture\n"
    "nodes:\n"
    "  read: {type: receiver/files, config: {paths: [in]}}\n"
    "  filter: {type: processor/filter, config: {attribute: size, min: 1}}\n"
    "  route: {type: processor/route, config:\n"
    "    {routes: {logs: [.log], packed: [.gz]}, otherwise: rest}}\n"
    "  logs: {type: processor/parse}\n"
    "  rest: {type: processor/parse, config: {kind: text}}\n"
    "  packed: {type: processor/parse, config: {kind: gzip}}\n"
    "  gather: {type: processor/batch, config: {max_items: 8, max_delay: 20ms}}\n"
    "  again: {type: processor/retry, config: {initial_delay: 1ms,\n"
    "    max_delay: 5ms}}\n"
    "  write: {type: exporter/file, config: {path: out}}\n"
    "connections:\n"
    "  - {from: read, to: filter}\n"
    "  - {from: filter, to: route}\n"
    "  - {from: 'route[\"logs\"]', to: logs}\n"
    "  - {from: 'route[\"rest\"]', to: rest}\n"
    "  - {from: 'route[\"packed\"]', to: packed}\n"
    "  - {from: logs, to: gather}\n"
    "  - {from: packed, to: gather}\n"
    "  - {from: rest, to: gather}\n"
    "  - {from: gather, to: again}\n"
    "  - {from: again, to: write}\n";

/* printf 'a\nb\n' | gzip -n */
static const char packed[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\xe4\x4a\xe2\x02\0"
                             "\x97\x2a\x57\x18\x04\0\0\0";

void torture_run(void)
{
    files_make(FOLDERS, FILES);
    files_write("in/0/packed.gz", packed, sizeof packed - 1);
    torture_begin();
    struct graph_outcome outcome = graph_run_all(text);
    torture_end();
    graph_check_outcome(&outcome, ITEMS, files_check_lines("out", 1));
    (void)unlink("out");
    outcome = graph_run_all(text);
    EXPECT_THAT(outcome.status == 0, "%s", outcome.error.text);
    EXPECT(files_check_lines("out", 1) == ITEMS);
}
