/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines are read into nodes and edges, both by their texts; a node is drawn with all below it where
 * it is met first. */
#include "app/lineage_tree.h"

#include "app/client.h"
#include "base/arena.h"
#include "base/map.h"
#include "query/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_LIMIT_BYTES = 1 << 30, NAME_COLUMNS = 60, INDENT_MAX = 32, DEPTH_MAX = 1000 };

enum side { MADE_FROM, MADE_INTO, N_SIDES };

struct edge {
    struct node *far;
    ftr_str relation;
    struct edge *next;
};

struct node {
    ftr_str id; /* "trace/span" */
    ftr_str name, service, state;
    struct edge *first[N_SIDES], *last[N_SIDES];
    struct node *next_start;
    bool is_drawn[N_SIDES];
};

struct drawing {
    struct ftri_arena arena;
    struct ftri_map nodes;
    struct node *starts, **starts_end;
    struct text text;
};

/* --- reading ------------------------------------------------------------------------------- */

/* A text member, without its quotes and still escaped. */
static ftr_str member(struct ftri_view line, const char *name)
{
    const struct ftri_view found = client_find_member(line, name);
    if (found.len < 2 || found.data[0] != '"')
        return (ftr_str){0};
    return (ftr_str){(const char *)found.data + 1, found.len - 2};
}

static bool is_text(ftr_str text, const char *expected)
{
    return text.len == strlen(expected) && memcmp(text.data, expected, text.len) == 0;
}

/* of: an object with traceId and spanId. NULL: memory is short. */
static struct node *find_node(struct drawing *self, struct ftri_view of)
{
    char id[64];
    const ftr_str trace = member(of, "traceId"), span = member(of, "spanId");
    const int len = snprintf(id, sizeof id, "%.*s/%.*s", (int)ftri_size_min(trace.len, 32),
                             trace.len ? trace.data : "", (int)ftri_size_min(span.len, 16),
                             span.len ? span.data : "");
    const ftr_str key = {id, (size_t)len};
    struct node *node = ftri_map_get(&self->nodes, key);
    if (node)
        return node;
    node = ftri_arena_alloc(&self->arena, sizeof *node);
    if (!node || ftri_map_set(&self->nodes, key, node) < 0)
        return NULL;
    *node = (struct node){.id = ftri_arena_copy(&self->arena, key), .state = FTR_STR("unread")};
    return node;
}

static int read_span(struct drawing *self, struct ftri_view line)
{
    struct node *node = find_node(self, line);
    if (!node)
        return -ENOMEM;
    node->name = member(line, "name");
    node->service = member(line, "service");
    node->state = member(line, "state");
    const struct ftri_view depth = client_find_member(line, "depth");
    if (depth.len == 1 && depth.data[0] == '0') {
        *self->starts_end = node;
        self->starts_end = &node->next_start;
    }
    return 0;
}

static int add_edge(struct drawing *self, struct node *from, enum side side, struct node *far,
                    ftr_str relation)
{
    struct edge *edge = ftri_arena_alloc(&self->arena, sizeof *edge);
    if (!edge)
        return -ENOMEM;
    *edge = (struct edge){.far = far, .relation = relation};
    if (from->last[side])
        from->last[side]->next = edge;
    else
        from->first[side] = edge;
    from->last[side] = edge;
    return 0;
}

static int read_edge(struct drawing *self, struct ftri_view line)
{
    struct node *contributor = find_node(self, client_find_member(line, "contributor"));
    struct node *result = find_node(self, client_find_member(line, "result"));
    const ftr_str relation = member(line, "relation");
    if (!contributor || !result)
        return -ENOMEM;
    const int r = add_edge(self, result, MADE_FROM, contributor, relation);
    return r < 0 ? r : add_edge(self, contributor, MADE_INTO, result, relation);
}

static int read_line(struct drawing *self, struct ftri_view line)
{
    const ftr_str type = member(line, "type");
    if (is_text(type, "span"))
        return read_span(self, line);
    if (is_text(type, "edge"))
        return read_edge(self, line);
    return type.len ? 0 : -EBADMSG;
}

static int read_lines(struct drawing *self, struct ftri_view lines)
{
    int r = 0;
    while (lines.len && r == 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        const size_t len = end ? (size_t)(end - lines.data) : lines.len;
        r = read_line(self, ftri_view_of(lines.data, len));
        const size_t passed = len + (end != NULL);
        lines = ftri_view_of(lines.data + passed, lines.len - passed);
    }
    return r;
}

/* --- drawing ------------------------------------------------------------------------------- */

static void draw_node(struct text *text, const struct node *node)
{
    if (is_text(node->state, "stored")) {
        text_put_printable(text, node->name, NAME_COLUMNS);
        text_put_words(text, " (");
        text_put_printable(text, node->service, NAME_COLUMNS);
        text_put_words(text, ") ");
    }
    text_put_printable(text, node->id, NAME_COLUMNS);
    if (!is_text(node->state, "stored")) {
        text_put_words(text, " ");
        text_put_printable(text, node->state, NAME_COLUMNS);
    }
}

static void draw_below(struct text *text, struct node *node, enum side side, size_t depth);

static void draw_edge(struct text *text, const struct edge *edge, enum side side, size_t depth)
{
    text_put_spaces(text, 2 * ftri_size_min(depth, INDENT_MAX));
    text_put_printable(text, edge->relation, NAME_COLUMNS);
    text_put_words(text, side == MADE_FROM ? " <- " : " -> ");
    draw_node(text, edge->far);
    const bool is_again = edge->far->is_drawn[side] && edge->far->first[side];
    const bool is_too_deep = depth >= DEPTH_MAX && edge->far->first[side];
    text_put_words(text, is_again ? " (see above)\n" : is_too_deep ? " (goes on)\n" : "\n");
    if (!is_again && !is_too_deep)
        draw_below(text, edge->far, side, depth + 1);
}

/* A way down may be longer than the shortest one, by which the server counts. */
static void draw_below(struct text *text, struct node *node, enum side side, size_t depth)
{
    node->is_drawn[side] = true;
    for (const struct edge *edge = node->first[side]; edge; edge = edge->next)
        draw_edge(text, edge, side, depth);
}

static void draw_start(struct text *text, struct node *node)
{
    static const char *const heads[N_SIDES] = {"  made from\n", "  made into\n"};
    draw_node(text, node);
    text_put_words(text, "\n");
    for (enum side side = MADE_FROM; side < N_SIDES; side++) {
        if (!node->first[side] || node->is_drawn[side])
            continue;
        text_put_words(text, heads[side]);
        draw_below(text, node, side, 2);
    }
}

static int draw(struct drawing *self, struct ftri_view lines, struct ftri_bytes *out)
{
    self->text = (struct text){.out = out, .columns = 80};
    self->starts_end = &self->starts;
    const int r = read_lines(self, lines);
    if (r < 0)
        return r;
    for (struct node *node = self->starts; node; node = node->next_start)
        draw_start(&self->text, node);
    return self->text.error;
}

int lineage_tree_draw(struct ftri_view lines, struct ftri_bytes *out)
{
    struct drawing drawing = {0};
    ftri_arena_init(&drawing.arena, ARENA_LIMIT_BYTES);
    ftri_map_init(&drawing.nodes, SIZE_MAX);
    const int r = draw(&drawing, lines, out);
    ftri_map_deinit(&drawing.nodes);
    ftri_arena_deinit(&drawing.arena);
    return r;
}
