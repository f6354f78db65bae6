/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (FIPS 180-4) of whole messages, on OpenSSL: the only module that includes it for hashing.
 * Any thread. */
#pragma once

#include "base/bytes.h"

enum { FTRI_SHA256_BYTES = 32, FTRI_SHA256_HEX_BYTES = 64 };

/* -ENOMEM or -EIO when the library refuses. */
int ftri_sha256(struct ftri_view message, uint8_t ret_digest[FTRI_SHA256_BYTES]) FTRI_MUST_CHECK;
