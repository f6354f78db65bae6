/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the public enumerations of flow.h. Constant, any thread. */
#include <flowtrace/flow.h>

#include "base/check.h"

static const char *const drop_reasons[] = {
    [FTR_DROP_FILTERED] = "filtered",       [FTR_DROP_NO_ROUTE] = "no_route",
    [FTR_DROP_BUFFER_FULL] = "buffer_full", [FTR_DROP_RETRIES_EXHAUSTED] = "retries_exhausted",
    [FTR_DROP_DUPLICATE] = "duplicate",     [FTR_DROP_LATE] = "late",
    [FTR_DROP_INVALID] = "invalid",         [FTR_DROP_REJECTED] = "rejected",
    [FTR_DROP_SHUTDOWN] = "shutdown",
};

static const char *const outcomes[] = {
    [FTR_OUTCOME_SUCCESS] = "success",
    [FTR_OUTCOME_FAILURE] = "failure",
    [FTR_OUTCOME_REFUSED] = "refused",
};

static const char *const signals[] = {
    [FTR_SIGNAL_NONE] = "none", [FTR_SIGNAL_TRACES] = "traces",   [FTR_SIGNAL_METRICS] = "metrics",
    [FTR_SIGNAL_LOGS] = "logs", [FTR_SIGNAL_RECORDS] = "records",
};

static const char *name_in(const char *const *names, size_t n_names, size_t value)
{
    return value < n_names && names[value] ? names[value] : "unknown";
}

const char *ftr_drop_reason_name(ftr_drop_reason reason)
{
    return name_in(drop_reasons, FTRI_COUNT(drop_reasons), (size_t)reason);
}

const char *ftr_outcome_name(ftr_outcome outcome)
{
    return name_in(outcomes, FTRI_COUNT(outcomes), (size_t)outcome);
}

const char *ftr_signal_name(ftr_signal signal)
{
    return name_in(signals, FTRI_COUNT(signals), (size_t)signal);
}
