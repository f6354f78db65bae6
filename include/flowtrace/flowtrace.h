/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything of libflowtrace in one include. */
#ifndef FLOWTRACE_FLOWTRACE_H
#define FLOWTRACE_FLOWTRACE_H

#include <flowtrace/context.h>
#include <flowtrace/exporter.h>
#include <flowtrace/flow.h>
#include <flowtrace/live.h>
#include <flowtrace/metrics.h>
#include <flowtrace/propagation.h>
#include <flowtrace/sampler.h>
#include <flowtrace/scope.h>
#include <flowtrace/span.h>
#include <flowtrace/tail.h>
#include <flowtrace/tap.h>
#include <flowtrace/tracing.h>
#include <flowtrace/types.h>
#include <flowtrace/user.h>

#endif
