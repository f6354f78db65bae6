/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected, inverted before and after, as in
 * RFC 3720 B.4. By the processor's instruction where it has one. Any thread. */
#pragma once

#include "base/check.h"

/* Continues from the checksum of what came before; 0 at the start. */
uint32_t wal_crc32c(uint32_t crc, const void *data, size_t len);
/* The same without the instruction: for processors that lack it, and to check one by the other. */
uint32_t wal_crc32c_portable(uint32_t crc, const void *data, size_t len);
