/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a log's record with metadata, and a value that decides a batch's route. What is
 * taken for metadata gives every field back by its name; a value takes known routes only. */
#include "base/error.h"
#include "config/document.h"
#include "engine/metadata.h"
#include "engine/pdata.h"
#include "nodes/processors/route_metadata.h"
#include "nodes/processors/wal_record.h"

#include <stdlib.h>
#include <string.h>

enum { WITH_METADATA = 0x101, N_ROUTES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static const struct config_value *routes_of(void)
{
    static struct config_document *document;
    struct ftri_error error;
    if (!document)
        demand(config_parse(FTR_STR("routes: {a: [1, x], b: [2]}"), "routes", &document, &error) ==
               0);
    return config_get(config_root(document), "routes");
}

static uint32_t ports_of(const void *data, size_t size)
{
    const struct route_options options = {
        .routes = routes_of(), .otherwise = "", .attribute = "", .metadata = "m", .field = "f"};
    struct ftri_bytes bytes;
    struct pdata pdata = {.n_items = 1};
    uint32_t ports = 0;
    ftri_bytes_init(&bytes, METADATA_BYTES_MAX);
    if (metadata_add(&bytes, FTR_STR("m"), (ftr_str){data, size}) == 0) {
        pdata.metadata = ftri_payload_new(&bytes);
        demand(pdata.metadata && metadata_get(pdata.metadata, FTR_STR("m")).len == size);
        ports = route_ports_of(&options, &pdata);
    }
    ftri_payload_unref(pdata.metadata);
    ftri_bytes_deinit(&bytes);
    return ports;
}

static void route(const uint8_t *data, size_t size)
{
    static const char known[] = "{\"f\":[2,9]}";
    demand(ports_of(known, sizeof known - 1) == 2);
    demand(ports_of(data, size) >> N_ROUTES == 0);
}

static void read_record(const uint8_t *data, size_t size)
{
    const struct wal_record record = {.kind = WITH_METADATA, .body = ftri_view_of(data, size)};
    struct wal_content content;
    if (wal_record_read(&record, &content) != 0)
        return;
    demand(metadata_check(ftri_payload_view(content.metadata)));
    demand(ftri_payload_view(content.metadata).len + ftri_payload_view(content.payload).len + 4 ==
           size);
    ftri_payload_unref(content.payload);
    ftri_payload_unref(content.metadata);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_record(data, size);
    route(data, size);
    return 0;
}
