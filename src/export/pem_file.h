/* SPDX-License-Identifier: Apache-2.0
 *
 * A first look at a PEM file (RFC 7468), so that a wrong path is told when it is set and not when a
 * connection fails. What is inside the base64 is for the TLS library to judge. */
#pragma once

#include "base/check.h"

struct ftri_error;

enum ftri_pem_kind { FTRI_PEM_CERTIFICATE, FTRI_PEM_PRIVATE_KEY };

/* 0; -EINVAL: no such block in it; -EFBIG: more than 4 MiB; an errno of opening or reading. */
int ftri_pem_file_check(const char *path, enum ftri_pem_kind kind,
                        struct ftri_error *error) FTRI_MUST_CHECK;
