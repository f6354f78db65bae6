/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/path.h"

#include "base/mem.h"
#include "engine/runtime.h"

#include <string.h>

struct paths *paths_new(void)
{
    return ftri_zalloc(sizeof(struct paths));
}

void paths_free(struct paths *self)
{
    for (size_t i = 0; self && i < self->n; i++) {
        ftri_free(self->list[i]->next);
        ftri_free(self->list[i]);
    }
    ftri_free(self);
}

size_t paths_count(const struct paths *self)
{
    return (size_t)__atomic_load_n(&self->n, __ATOMIC_ACQUIRE);
}

/* Appends what fits; the length it would need. */
static size_t append(char *text, size_t len, const char *piece, bool is_name)
{
    for (; *piece; piece++) {
        const char pair[] = {'\\', *piece};
        const size_t n = is_name && strchr("\\>*", *piece) ? 2 : 1;
        if (len + n <= PATH_TEXT_BYTES)
            memcpy(text + len, pair + 2 - n, n);
        len += n;
    }
    return len;
}

static size_t write_text(char text[PATH_TEXT_BYTES], ftr_str before, const char *id)
{
    size_t len = 0;
    if (before.len) {
        memcpy(text, before.data, before.len);
        len = append(text, before.len, ">", false);
    }
    return append(text, len, id, true);
}

static struct path *make_of(struct paths *paths, ftr_str text, const struct node *node)
{
    if (paths->n == PATHS_MAX)
        return &paths->overflow;
    struct path *self = ftri_zalloc(sizeof *self + text.len);
    if (!self)
        return &paths->overflow;
    self->node = node;
    self->text = (ftr_str){memcpy(self + 1, text.data, text.len), text.len};
    paths->list[paths->n] = self;
    __atomic_store_n(&paths->n, paths->n + 1, __ATOMIC_RELEASE);
    return self;
}

static struct path *make(struct paths *paths, ftr_str before, const struct node *node)
{
    char text[PATH_TEXT_BYTES];
    const size_t len = write_text(text, before, node->id);
    return len > PATH_TEXT_BYTES ? &paths->overflow : make_of(paths, (ftr_str){text, len}, node);
}

struct path *path_from(struct node *node)
{
    if (!node->source_path)
        node->source_path = make(node->graph->paths, FTR_STR(""), node);
    return node->source_path;
}

struct path *path_mixed(struct node *node)
{
    if (!node->mixed_path)
        node->mixed_path = make(node->graph->paths, FTR_STR("*"), node);
    return node->mixed_path;
}

static bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Its last node is the one that sends across. */
struct path *path_import(struct node *node, const struct path *there)
{
    struct paths *const paths = node->graph->paths;
    if (!there->node)
        return &paths->overflow;
    for (size_t i = 0; i < paths->n; i++)
        if (is_same(paths->list[i]->text, there->text))
            return paths->list[i];
    return make_of(paths, there->text, node);
}

/* Two ports may lead to the same node: the way is the same. */
static struct path *find_next(const struct path *self, const struct node *node)
{
    for (size_t i = 0; i < self->node->n_outputs; i++)
        if (self->next[i] && self->next[i]->node == node)
            return self->next[i];
    return NULL;
}

struct path *path_branch_off(struct path *self, const struct edge *edge)
{
    struct paths *const paths = edge->from->graph->paths;
    if (!self->node)
        return self;
    const size_t n = self->node->n_outputs;
    if (!self->next) {
        self->next = ftri_alloc_array(n, sizeof(struct path *));
        if (!self->next)
            return &paths->overflow;
        memset(self->next, 0, n * sizeof(struct path *));
    }
    struct path *next = find_next(self, edge->to);
    if (!next)
        next = make(paths, self->text, edge->to);
    self->next[edge->index] = next;
    return next;
}
