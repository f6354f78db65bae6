/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the control header of user tracing, and the ready form of routings. What a control
 * header says can be a header again; a traceparent is written as it was read; whatever the texts of
 * a routing, its JSON is one that a header takes.
 */
#include "context/block.h"
#include "trace/user.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static void check_control(ftr_str header)
{
    static struct ftri_routing_room room;
    ftr_user_control control = {.routing = {NULL, 77}};
    if (!ftr_user_control_parse(header, &control)) {
        demand(control.routing.len == 77);
        return;
    }
    const ftr_routing routing = ftr_text_routing_of(&control.routing);
    const char *wrong = ftri_routing_ask(&routing, &room);
    demand((wrong == NULL) == (control.routing.len <= FTR_ROUTING_VALUE_MAX));
    demand(control.routing.data >= header.data &&
           control.routing.data + control.routing.len <= header.data + header.len);
    demand(control.has_inbound || control.inbound.trace_flags == 0);
}

static void check_traceparent(ftr_str header)
{
    char text[FTR_TRACEPARENT_LEN + 1];
    ftr_span_context span;
    if (!ftr_user_traceparent_parse(header, &span))
        return;
    demand(ftri_traceparent_write_all(&span, text));
    for (size_t i = 0; i < FTR_TRACEPARENT_LEN; i++)
        demand(text[i] == tolower(header.data[i]));
}

static void check_json(ftr_str text)
{
    static struct ftri_routing_room room;
    const ftr_json_routing json = {.size = sizeof json,
                                   .workspace_id = text,
                                   .destinations = (const ftr_str[]){text, text},
                                   .n_destinations = 2};
    const ftr_routing routing = ftr_json_routing_of(&json);
    const char *wrong = ftri_routing_ask(&routing, &room);
    demand(!wrong || (strstr(wrong, "longer") && text.len > 100));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ftr_str text = {(const char *)data, size};
    check_control(text);
    check_traceparent(text);
    check_json(text);
    return 0;
}
