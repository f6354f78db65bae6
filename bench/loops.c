/* SPDX-License-Identifier: Apache-2.0 */
#include "loops.h"

#include <flowtrace/flowtrace.h>
#include <flowtrace/user_scope.h>

#include <stdint.h>
#include <string.h>

enum { TEXT_LEN = 20, KEYS = 10 };

/* A value that is not the one before: printable, as the peers' strings must be. */
static void renew(char value[TEXT_LEN], int i)
{
    const uint32_t letters = ((uint32_t)i & 0x3f3f3f3f) | 0x40404040;
    memcpy(value + TEXT_LEN - sizeof letters, &letters, sizeof letters);
}

static ftr_span start_child(void)
{
    static ftr_call_site site = {0, FTR_KIND_INTERNAL, {"child span", 10}, __FILE__, __func__, 1};
    return ftr_span_start_site(&site, NULL);
}

static ftr_span start_named_child(void)
{
    return ftr_span_start(FTR_STR("child span"), FTR_KIND_INTERNAL, NULL);
}

static ftr_span start_user_child(void)
{
    static ftr_call_site site = {0, FTR_KIND_INTERNAL, {"child span", 10}, __FILE__, __func__, 1};
    return ftr_user_span_start_site(&site, NULL);
}

void loop_roots(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(ftr_span_start(FTR_STR("root span"), FTR_KIND_SERVER, NULL));
}

static const ftr_str keys[KEYS] = {
    {"attribute.key.numbr0", TEXT_LEN}, {"attribute.key.numbr1", TEXT_LEN},
    {"attribute.key.numbr2", TEXT_LEN}, {"attribute.key.numbr3", TEXT_LEN},
    {"attribute.key.numbr4", TEXT_LEN}, {"attribute.key.numbr5", TEXT_LEN},
    {"attribute.key.numbr6", TEXT_LEN}, {"attribute.key.numbr7", TEXT_LEN},
    {"attribute.key.numbr8", TEXT_LEN}, {"attribute.key.numbr9", TEXT_LEN},
};

/* Children with attributes of 20-byte keys and values, one after the other. */
static void with_attributes(int n, int n_attributes)
{
    char text[TEXT_LEN];
    memset(text, 'v', sizeof text);
    for (int i = 0; i < n; i++) {
        const ftr_span span = start_child();
        renew(text, i);
        for (int k = 0; k < n_attributes; k++)
            ftr_span_set_str(span, keys[k], (ftr_str){text, TEXT_LEN});
        ftr_span_end(span);
    }
}

/* The same all at once. */
static inline void with_values(int n, ftr_span (*start)(void), ftr_keys *set, bool at_end)
{
    char text[TEXT_LEN];
    memset(text, 'v', sizeof text);
    for (int i = 0; i < n; i++) {
        const ftr_span span = start();
        renew(text, i);
        ftr_value values[KEYS];
        for (uint32_t k = 0; k < set->n_keys; k++)
            values[k] = ftr_value_str((ftr_str){text, TEXT_LEN});
        if (at_end) {
            ftr_span_end_values(span, set, values);
            continue;
        }
        ftr_span_set_values(span, set, values);
        ftr_span_end(span);
    }
}

void loop_with_4_values(int n)
{
    static ftr_keys set = {0, 4, keys};
    with_values(n, start_child, &set, false);
}

void loop_with_10_values(int n)
{
    static ftr_keys set = {0, KEYS, keys};
    with_values(n, start_child, &set, false);
}

void loop_ending_with_4(int n)
{
    static ftr_keys set = {0, 4, keys};
    with_values(n, start_child, &set, true);
}

void loop_ending_with_10(int n)
{
    static ftr_keys set = {0, KEYS, keys};
    with_values(n, start_child, &set, true);
}

void loop_with_4(int n)
{
    with_attributes(n, 4);
}

void loop_with_10(int n)
{
    with_attributes(n, 10);
}

void loop_children(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(start_child());
}

void loop_calls(int n)
{
    for (int i = 0; i < n; i++) {
        ftr_span_end(start_child());
        __asm__ volatile("" : : : "memory");
    }
}

void loop_named_children(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(start_named_child());
}

void loop_scopes(int n)
{
    for (int i = 0; i < n; i++) {
        FTR_SPAN(child, "child span");
    }
}

void loop_scopes_with_4(int n)
{
    char value[TEXT_LEN];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < n; i++) {
        FTR_SPAN(child, "child span");
        renew(value, i);
        const ftr_str text = {value, TEXT_LEN};
        FTR_SPAN_SET_ALL(child, "attribute.key.numbr0", text, "attribute.key.numbr1", text,
                         "attribute.key.numbr2", text, "attribute.key.numbr3", text);
    }
}

void loop_with_event(int n)
{
    for (int i = 0; i < n; i++) {
        const ftr_span span = start_child();
        ftr_span_event(span, FTR_STR("event"), NULL, 0);
        ftr_span_end(span);
    }
}

void loop_with_link(int n)
{
    ftr_context other = FTR_CONTEXT_NONE;
    memset(other.span.trace_id.bytes, 3, sizeof other.span.trace_id.bytes);
    memset(other.span.span_id.bytes, 4, sizeof other.span.span_id.bytes);
    for (int i = 0; i < n; i++) {
        const ftr_span span = start_child();
        ftr_span_link(span, &other, NULL, 0);
        ftr_span_end(span);
    }
}

/* ---- user spans ---- */

void loop_user_children(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(start_user_child());
}

void loop_user_calls(int n)
{
    for (int i = 0; i < n; i++) {
        ftr_span_end(start_user_child());
        __asm__ volatile("" : : : "memory");
    }
}

void loop_user_named_children(int n)
{
    for (int i = 0; i < n; i++)
        ftr_span_end(ftr_user_span_start(FTR_STR("child span"), FTR_KIND_INTERNAL, NULL));
}

void loop_user_ending_with_4(int n)
{
    static ftr_keys set = {0, 4, keys};
    with_values(n, start_user_child, &set, true);
}

void loop_user_scopes(int n)
{
    for (int i = 0; i < n; i++) {
        FTR_USER_SPAN(child, "child span");
    }
}

void loop_dual_scopes(int n)
{
    for (int i = 0; i < n; i++) {
        FTR_DUAL_SPAN(child, "child span");
    }
}

ftr_context loop_user_parent(void)
{
    const ftr_str text = FTR_STR("{\"zoneId\":7}");
    const ftr_routing routing = ftr_text_routing_of(&text);
    const ftr_span root = ftr_user_trace_start(FTR_STR("request"), &routing, NULL);
    const ftr_context context = ftr_span_context_of(root);
    ftr_span_end(root);
    return context;
}

/* One trace: a root, current, with len - 1 children. */
static void record_trace(int len, void (*children)(int n))
{
    const ftr_span root = ftr_span_start(FTR_STR("request"), FTR_KIND_SERVER, NULL);
    ftr_context context = ftr_span_context_of(root);
    const ftr_attachment attachment = ftr_attach(&context);
    children(len - 1);
    ftr_detach(attachment);
    ftr_context_release(&context);
    ftr_span_end(root);
}

void loop_traces(int n, int len, void (*children)(int n))
{
    for (int i = 0; i < n / len; i++)
        record_trace(len, children);
}

ftr_context loop_remote_parent(uint8_t trace_flags)
{
    ftr_context parent = FTR_CONTEXT_NONE;
    memset(parent.span.trace_id.bytes, 1, sizeof parent.span.trace_id.bytes);
    memset(parent.span.span_id.bytes, 2, sizeof parent.span.span_id.bytes);
    parent.span.trace_flags = trace_flags;
    return parent;
}

void loop_visits(int n)
{
    const ftr_node_options options = {
        .size = sizeof options,
        .id = FTR_STR("proc-2"),
        .type = FTR_STR("processor/filter"),
        .kind = FTR_NODE_PROCESSOR,
        .pipeline = FTR_STR("orders"),
    };
    ftr_node *node = ftr_node_new(&options);
    const ftr_arrival arrival = {.size = sizeof arrival,
                                 .signal = FTR_SIGNAL_TRACES,
                                 .n_items = 512,
                                 .n_bytes = 95744,
                                 .queue_depth = 3,
                                 .queue_capacity = 64};
    ftr_hop in;
    ftr_hop_init(&in);
    in.context = ftr_context_current();
    in.sent_ns = 1;
    in.n_hops = 1;
    in.port = FTR_STR("out");
    for (int i = 0; i < n; i++) {
        ftr_visit visit;
        ftr_hop out;
        ftr_visit_start(&visit, node, &in, 1, &arrival);
        ftr_visit_emit(&visit, FTR_STR("out"), 512, 95744, &out);
        ftr_visit_end(&visit, FTR_OUTCOME_SUCCESS, FTR_STR(""));
        ftr_hop_release(&out);
    }
    ftr_hop_release(&in);
    ftr_node_free(node);
}
