/* SPDX-License-Identifier: Apache-2.0 */
#include "api/processes.h"

#include "base/map.h"
#include "base/mem.h"

struct processes {
    struct ftri_map numbers;     /* resource bytes to number */
    struct ftri_view *resources; /* by number - 1 */
    size_t n_resources;
    struct ftri_view last; /* asked for last, and its number: neighbours share a resource */
    size_t last_number;
};

struct processes *processes_new(size_t n_max)
{
    struct processes *const self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    ftri_map_init(&self->numbers, n_max);
    self->resources = ftri_alloc_array(n_max, sizeof *self->resources);
    if (!self->resources) {
        processes_free(self);
        return NULL;
    }
    return self;
}

void processes_free(struct processes *self)
{
    if (!self)
        return;
    ftri_map_deinit(&self->numbers);
    ftri_free(self->resources);
    ftri_free(self);
}

static int find(struct processes *self, struct ftri_view resource, size_t *ret_number)
{
    const ftr_str key = ftri_view_str(resource);
    const uintptr_t known = (uintptr_t)ftri_map_get(&self->numbers, key);
    if (known) {
        *ret_number = known;
        return 0;
    }
    const uintptr_t number = self->n_resources + 1;
    const int r = ftri_map_set(&self->numbers, key, (void *)number);
    if (r < 0)
        return r;
    self->resources[self->n_resources++] = resource;
    *ret_number = number;
    return 0;
}

int processes_number(struct processes *self, struct ftri_view resource, size_t *ret_number)
{
    const bool is_last =
        self->last_number && self->last.data == resource.data && self->last.len == resource.len;
    if (!is_last) {
        const int r = find(self, resource, &self->last_number);
        if (r < 0)
            return r;
        self->last = resource;
    }
    *ret_number = self->last_number;
    return 0;
}

size_t processes_count(const struct processes *self)
{
    return self->n_resources;
}

struct ftri_view processes_resource(const struct processes *self, size_t number)
{
    return self->resources[number - 1];
}
