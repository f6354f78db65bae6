/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/vote.h"

#include "trace/record.h"

#include <errno.h>
#include <string.h>

/* Behind inherited fields, too: reading looks for the key among what is there. */
static void put_text(uint8_t *at, ftr_str key, ftr_str value, size_t size)
{
    const struct ftri_entry entry = {
        .type = FTRI_ENTRY_ATTRIBUTE,
        .value_type = FTR_VALUE_STR,
        .size = (uint32_t)size,
        .key_len = (uint32_t)key.len,
        .value_len = (uint32_t)value.len,
    };
    memcpy(at, &entry, sizeof entry);
    memcpy(at + sizeof entry, key.data, key.len);
    memcpy(at + sizeof entry + key.len, value.data, value.len);
}

int ftri_record_with_text(const struct ftri_record *record, ftr_str key, ftr_str value,
                          struct ftri_bytes *out)
{
    const size_t entry_size = ftri_pad8(sizeof(struct ftri_entry) + key.len + value.len);
    const size_t used = sizeof *record + record->stream_len;
    const size_t size = ftri_pad16(used + entry_size);
    if (record->n_attributes == UINT16_MAX)
        return -EMSGSIZE;
    ftri_bytes_reset(out);
    const int rc = ftri_bytes_reserve(out, size);
    if (rc < 0)
        return rc;
    memcpy(out->data, record, used);
    memset(out->data + used, 0, size - used);
    put_text(out->data + used, key, value, entry_size);
    struct ftri_record *copy = (struct ftri_record *)(void *)out->data;
    copy->size = (uint32_t)size;
    copy->stream_len += (uint32_t)entry_size;
    copy->n_attributes++;
    out->len = size;
    return 0;
}
