/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP API on the UI's port: traces by id and by search, names, dependencies (Jaeger's v3 API
 * in OTLP JSON and its legacy API), health, metrics. Runs on a loop and a thread of its own, so
 * that a long search delays no ingest. */
#pragma once

#include "base/check.h"

struct api;
struct ftri_error;
struct store;

struct api_options {
    const char *address; /* "127.0.0.1:16686"; port 0 picks one */
    struct store *store; /* read from the API's thread; outlives the API; NULL: health and metrics
                            are all there is */
};

int api_start(const struct api_options *options, struct api **ret_api,
              struct ftri_error *error) FTRI_MUST_CHECK;
/* "127.0.0.1:16686" with the real port. */
const char *api_address(const struct api *self);
/* Stops the thread; requests in progress are cut. NULL is fine. */
void api_stop(struct api *self);
