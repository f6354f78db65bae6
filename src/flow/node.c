/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and freeing nodes: one block that holds the texts too. */
#include "flow/node.h"

#include "base/error.h"
#include "base/mem.h"
#include "flow/identity.h"
#include "trace/diagnostics.h"
#include "trace/hold.h"

#include <string.h>

static char *put_text(char *at, ftr_str text)
{
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

/* "type/id", as in the otel-arrow proposal's tree; one of the two alone when the other is empty. */
static char *put_names(ftr_node *self, const ftr_node_options *options)
{
    const bool has_both = options->type.len && options->id.len;
    char *at = put_text(self->text, options->type);
    if (has_both)
        *at++ = '/';
    char *const id = at;
    at = put_text(at, options->id);
    self->type = (ftr_str){self->text, options->type.len};
    self->id = (ftr_str){id, options->id.len};
    self->span_name = (ftr_str){self->text, (size_t)(at - self->text)};
    self->pipeline = (ftr_str){at, options->pipeline.len};
    return put_text(at, options->pipeline);
}

/* "word:id" */
static char *put_word_name(char *at, ftr_str word, ftr_str id, ftr_str *ret_name)
{
    char *const begin = at;
    at = put_text(at, word);
    *at++ = ':';
    at = put_text(at, id);
    *ret_name = (ftr_str){begin, (size_t)(at - begin)};
    return at;
}

static size_t text_size(const ftr_node_options *options, const struct ftri_identity *identity)
{
    const size_t own = options->type.len + 1 + options->id.len + options->pipeline.len;
    const size_t words = identity->completed.len + identity->failed.len;
    return own + (words ? words + 2 * (1 + options->id.len) : 0);
}

static void put_texts(ftr_node *self, const ftr_node_options *options,
                      const struct ftri_identity *identity)
{
    char *at = put_names(self, options);
    if (identity->type.data != options->type.data)
        self->type = identity->type;
    if (identity->span_name.len)
        self->span_name = identity->span_name;
    if (identity->completed.len == 0)
        return;
    at = put_word_name(at, identity->completed, self->id, &self->span_name);
    (void)put_word_name(at, identity->failed, self->id, &self->failed_name);
}

static void list_names(ftr_keys *ret_keys, ftr_str *room, const ftr_str *names,
                       const enum ftri_name *which, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        room[i] = names[which[i]];
    *ret_keys = (ftr_keys){.n_keys = n, .keys = room};
}

static void fill_site(ftr_node *self)
{
    static const enum ftri_name arrival[] = {
        FTRI_NAME_NODE_ID,       FTRI_NAME_NODE_TYPE,   FTRI_NAME_STATEFUL,
        FTRI_NAME_SIGNAL_TYPE,   FTRI_NAME_BATCH_SIZE,  FTRI_NAME_BATCH_BYTES,
        FTRI_NAME_QUEUE_WAIT_MS, FTRI_NAME_QUEUE_DEPTH, FTRI_NAME_QUEUE_CAPACITY,
        FTRI_NAME_HOPS,          FTRI_NAME_PIPELINE};
    static const enum ftri_name source[] = {
        FTRI_NAME_NODE_ID,    FTRI_NAME_NODE_TYPE,   FTRI_NAME_STATEFUL, FTRI_NAME_SIGNAL_TYPE,
        FTRI_NAME_BATCH_SIZE, FTRI_NAME_BATCH_BYTES, FTRI_NAME_PIPELINE};
    static const enum ftri_name emit[] = {FTRI_NAME_OUT_PORT, FTRI_NAME_OUT_ITEMS,
                                          FTRI_NAME_OUT_BYTES, FTRI_NAME_OUT_QUEUE_DEPTH,
                                          FTRI_NAME_OUT_QUEUE_CAPACITY};
    static const enum ftri_name end[] = {FTRI_NAME_LATENCY_MS, FTRI_NAME_OUTCOME};
    struct ftri_node_site *site = self->site;
    const uint32_t n_absent = self->pipeline.len ? 0 : 1;
    site->site = (ftr_call_site){.kind = self->span_kind, .name = self->span_name};
    list_names(&site->arrival, site->arrival_names, self->names, arrival,
               FTRI_N_ARRIVAL_VALUES - n_absent);
    list_names(&site->source, site->source_names, self->names, source,
               FTRI_N_SOURCE_VALUES - n_absent);
    list_names(&site->emit[true], site->emit_names, self->names, emit, FTRI_N_EMIT_VALUES);
    site->emit[false] = site->emit[true];
    site->emit[false].n_keys -= FTRI_N_EMIT_CHANNEL;
    list_names(&site->end, site->end_names, self->names, end, FTRI_N_END_VALUES);
}

static void add_constant(struct ftri_node_site *site, enum ftri_name name, ftr_value value)
{
    const uint32_t n = site->constant.n_keys++;
    site->constant_names[n] = site->names[name];
    site->constants[n] = value;
}

/* The convention's, the loop and the generation. */
static void fill_constants(struct ftri_node_site *site, const struct ftri_identity *identity,
                           const ftr_node_options *options)
{
    for (uint32_t i = 0; i < identity->n_constants; i++) {
        site->constant_names[i] = identity->constants[i].key;
        site->constants[i] = identity->constants[i].value;
    }
    site->constant = (ftr_keys){.n_keys = identity->n_constants, .keys = site->constant_names};
    if (options->has_loop)
        add_constant(site, FTRI_NAME_LOOP, ftr_value_i64(options->loop));
    if (options->generation)
        add_constant(site, FTRI_NAME_GENERATION, ftr_value_i64((int64_t)options->generation));
}

/* The node's own, else the session's. */
static enum ftri_convention choose_convention(ftr_str name)
{
    enum ftri_convention found;
    struct ftri_error why = {""};
    if (name.len == 0)
        return ftri_convention_current();
    if (ftri_convention_find(name, &found, &why) == 0)
        return found;
    ftri_diagnose("the conventions of a node: ignored, %s", why.text);
    return ftri_convention_current();
}

ftr_node *ftr_node_new(const ftr_node_options *options)
{
    ftr_node_options known = {0};
    memcpy(&known, options, ftri_size_min(options->size, sizeof known));
    const enum ftri_convention convention = choose_convention(known.conventions);
    struct ftri_identity identity;
    ftri_identity_read(convention, &known, &identity);
    const size_t site_at = (sizeof(ftr_node) + text_size(&known, &identity) + 15) / 16 * 16;
    ftr_node *const self = ftri_zalloc(site_at + sizeof *self->site);
    if (!self)
        return NULL;
    self->site = (struct ftri_node_site *)(void *)((char *)self + site_at);
    atomic_init(&self->mode, FTRI_MODE_OF_PROCESS);
    for (size_t i = 0; i < FTRI_N_VISIT_NAMES; i++)
        self->site->names[i] = ftri_name(convention, (enum ftri_name)i);
    self->names = self->site->names;
    self->convention = convention;
    self->span_kind = identity.span_kind;
    memcpy(self->outcomes, identity.outcomes, sizeof self->outcomes);
    self->is_stateful = known.is_stateful;
    self->lineage = known.lineage;
    self->generation = known.generation;
    self->has_loop = known.has_loop;
    self->loop = known.loop;
    put_texts(self, &known, &identity);
    fill_site(self);
    fill_constants(self->site, &identity, &known);
    return self;
}

/* The count goes up before the first flow waits. */
void ftr_node_set_mode(ftr_node *node, const ftr_mode *mode)
{
    if (!node ||
        (mode && *mode != FTR_MODE_OFF && *mode != FTR_MODE_FULL && *mode != FTR_MODE_TAIL))
        return;
    const uint8_t wanted = mode ? (uint8_t)*mode : FTRI_MODE_OF_PROCESS;
    if (wanted == FTR_MODE_TAIL)
        ftri_session_hold(true);
    if (atomic_exchange(&node->mode, wanted) == FTR_MODE_TAIL)
        ftri_session_hold(false);
}

void ftr_node_free(ftr_node *node)
{
    ftr_node_set_mode(node, NULL);
    ftri_free(node);
}
