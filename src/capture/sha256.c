/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/sha256.h"

#include <errno.h>
#include <openssl/evp.h>

int ftri_sha256(struct ftri_view message, uint8_t ret_digest[FTRI_SHA256_BYTES])
{
    unsigned len = 0;
    if (EVP_Digest(message.data, message.len, ret_digest, &len, EVP_sha256(), NULL) != 1)
        return -EIO;
    return len == FTRI_SHA256_BYTES ? 0 : -EIO;
}
