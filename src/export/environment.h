/* SPDX-License-Identifier: Apache-2.0
 *
 * What the environment makes of a program that calls ftr_init(NULL) with the OTLP exporter at hand:
 * the library's own reading of it, written down (`flowtrace env`). Reads the environment: like
 * getenv not while another thread changes it. */
#pragma once

#include "base/check.h"

struct ftri_bytes;

/* Appends one JSON object, secrets masked, with a member "warnings" and, when ftr_init would fail,
 * "error"; *ret_is_usable says that there is none. 0, -ENOMEM or -EMSGSIZE. */
int ftri_environment_write(struct ftri_bytes *out, bool *ret_is_usable) FTRI_MUST_CHECK;
