/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/origin.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "otlp/encode.h"
#include "trace/convention.h"
#include "trace/resource.h"
#include "trace/settings.h"

#include <errno.h>
#include <unistd.h>

#define RESOURCE_LIMIT ((size_t)64 << 20)

/* Behind the part that all see. */
struct origin {
    struct ftri_origin shared;
    struct ftri_settings settings;
    struct ftri_bytes otlp;
};

static struct origin *whole(const struct ftri_origin *self)
{
    return FTRI_CONTAINER(self, struct origin, shared);
}

static void free_origin(struct origin *self)
{
    ftri_bytes_deinit(&self->otlp);
    ftri_settings_deinit(&self->settings);
    ftri_free(self);
}

/* Foundations writes a scope without a name. */
static void name_scope(struct ftri_origin *shared, enum ftri_convention convention)
{
    const bool is_named = convention != FTRI_CONVENTION_FOUNDATIONS;
    shared->scope_name = is_named ? FTR_STR("flowtrace") : FTR_STR("");
    shared->scope_version = is_named ? FTR_STR(FTR_VERSION) : FTR_STR("");
}

static int encode_resource(struct origin *self)
{
    ftri_bytes_reset(&self->otlp);
    const int rc =
        ftri_otlp_encode_resource(self->settings.resource, self->settings.n_resource, &self->otlp);
    self->shared.resource_otlp = ftri_bytes_view(&self->otlp);
    return rc;
}

int ftri_origin_new(const ftr_config *config, struct ftri_origin **ret_origin,
                    struct ftri_error *error)
{
    struct origin *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "out of memory");
    int rc = ftri_settings_init(&self->settings, config, error);
    if (rc < 0) {
        ftri_free(self);
        return rc;
    }
    ftri_bytes_init(&self->otlp, RESOURCE_LIMIT);
    atomic_init(&self->shared.n_refs, 1);
    self->shared.resource = self->settings.resource;
    self->shared.n_resource = self->settings.n_resource;
    name_scope(&self->shared, self->settings.convention);
    rc = encode_resource(self);
    if (rc < 0) {
        free_origin(self);
        return ftri_error_set(error, rc, "resource: cannot be encoded");
    }
    *ret_origin = &self->shared;
    return 0;
}

struct ftri_origin *ftri_origin_ref(struct ftri_origin *self)
{
    atomic_fetch_add(&self->n_refs, 1);
    return self;
}

void ftri_origin_unref(struct ftri_origin *self)
{
    if (self && atomic_fetch_sub(&self->n_refs, 1) == 1)
        free_origin(whole(self));
}

const struct ftri_settings *ftri_origin_settings(const struct ftri_origin *self)
{
    return &whole(self)->settings;
}

ftr_str ftri_origin_service(const struct ftri_origin *self)
{
    return ftri_settings_service(ftri_origin_settings(self));
}

void ftri_origin_after_fork(struct ftri_origin *shared)
{
    struct origin *self = whole(shared);
    for (size_t i = 0; i < self->settings.n_resource; i++) {
        ftr_attribute *one = &self->settings.resource[i];
        if (ftri_text_is(one->key, FTRI_RESOURCE_PID))
            one->value = ftr_value_i64(getpid());
    }
    if (encode_resource(self) < 0)
        shared->resource_otlp = (struct ftri_view){NULL, 0};
}
