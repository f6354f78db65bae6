/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths and queries of request targets (RFC 9112 3.2, RFC 3986 2.1). Sans-I/O, any thread. */
#pragma once

#include "base/bytes.h"

struct http_target {
    ftr_str path;  /* still encoded; "/" when the target has none, "*" for the asterisk-form */
    ftr_str query; /* still encoded; .data NULL without '?' */
};

/* Cuts a target that the parser accepted. */
struct http_target http_target_cut(ftr_str target);
/* Appends the decoded text. -EBADMSG: a '%' without two hex digits, or %00. */
int http_target_decode(ftr_str encoded, struct ftri_bytes *out) FTRI_MUST_CHECK;
/* The value of the first parameter of that name, '+' and escapes decoded, appended to out.
 * False: not there, not decodable or over the limit of out. */
bool http_target_parameter(ftr_str query, const char *name, struct ftri_bytes *out);
/* The same for a name that repeats: each call finds the next one. *next starts at 0.
 * HTTP_TARGET_PARAMETER, 0 at the end, -EBADMSG (not decodable), -ENOMEM, -EMSGSIZE. */
enum { HTTP_TARGET_PARAMETER = 1 };
int http_target_parameter_next(ftr_str query, const char *name, size_t *next,
                               struct ftri_bytes *out) FTRI_MUST_CHECK;
