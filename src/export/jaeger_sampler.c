/* SPDX-License-Identifier: Apache-2.0
 *
 * The public function of include/flowtrace/jaeger.h. */
#include <flowtrace/jaeger.h>
#include <flowtrace/sampler.h>

#include "base/error.h"
#include "export/jaeger_poller.h"

#include <errno.h>
#include <string.h>

static ftr_status status_of(int result)
{
    switch (result) {
    case 0:
        return FTR_OK;
    case -ENOMEM:
        return FTR_ERR_MEMORY;
    case -EINVAL:
        return FTR_ERR_INVALID;
    default:
        return FTR_ERR_IO;
    }
}

static int make(const ftr_remote_sampler_options *options, ftr_sampler **ret_sampler,
                struct ftri_error *error)
{
    struct ftri_jaeger_poller *poller = NULL;
    const int r = ftri_jaeger_poller_new(options, &poller, error);
    if (r < 0)
        return r;
    *ret_sampler = ftr_sampler_new(ftri_jaeger_poller_class(), poller);
    if (*ret_sampler)
        return 0;
    ftri_jaeger_poller_class()->close(poller);
    return ftri_error_set(error, -ENOMEM, "out of memory");
}

ftr_sampler *ftr_jaeger_sampler_new(const ftr_remote_sampler_options *options, ftr_error *error)
{
    struct ftri_error why = {""};
    ftr_sampler *sampler = NULL;
    const int r = make(options, &sampler, &why);
    if (error) {
        error->status = status_of(r);
        memcpy(error->text, why.text, sizeof error->text);
    }
    return sampler;
}
