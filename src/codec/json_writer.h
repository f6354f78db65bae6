/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259) without white space, appended to bytes. Commas are put where they belong; that
 * objects and arrays are closed and members named is the caller's business.
 *
 * Failures stick: after the first every call does nothing, and ftri_json_writer_status tells it at
 * the end. One thread at a time. */
#pragma once

#include "base/bytes.h"

struct ftri_json_writer {
    struct ftri_bytes *out;
    int status;
    bool needs_comma; /* a value was written on this level */
};

/* JSON has no NaN and no infinities: either null or "NaN", "Infinity", "-Infinity" as strings. */
enum ftri_json_nonfinite { FTRI_JSON_NONFINITE_NULL, FTRI_JSON_NONFINITE_TEXT };

void ftri_json_writer_init(struct ftri_json_writer *self, struct ftri_bytes *out);
/* 0, or the first failure: -ENOMEM or -EMSGSIZE (out then holds a part of the text). */
int ftri_json_writer_status(const struct ftri_json_writer *self) FTRI_MUST_CHECK;

void ftri_json_begin_object(struct ftri_json_writer *self);
void ftri_json_end_object(struct ftri_json_writer *self);
void ftri_json_begin_array(struct ftri_json_writer *self);
void ftri_json_end_array(struct ftri_json_writer *self);
void ftri_json_name(struct ftri_json_writer *self, ftr_str name);
/* Control characters are escaped, each byte that belongs to no UTF-8 character becomes U+FFFD. */
void ftri_json_str(struct ftri_json_writer *self, ftr_str text);
void ftri_json_i64(struct ftri_json_writer *self, int64_t value);
void ftri_json_u64(struct ftri_json_writer *self, uint64_t value);
/* In quotes, as protobuf's JSON writes 64-bit integers. */
void ftri_json_i64_text(struct ftri_json_writer *self, int64_t value);
void ftri_json_u64_text(struct ftri_json_writer *self, uint64_t value);
/* The fewest digits that read back as the same double. */
void ftri_json_f64(struct ftri_json_writer *self, double value, enum ftri_json_nonfinite nonfinite);
void ftri_json_bool(struct ftri_json_writer *self, bool value);
void ftri_json_null(struct ftri_json_writer *self);
/* In quotes: lower-case hexadecimal, base64. */
void ftri_json_hex(struct ftri_json_writer *self, struct ftri_view bytes);
void ftri_json_base64(struct ftri_json_writer *self, struct ftri_view bytes);
/* One value that is JSON already. */
void ftri_json_raw(struct ftri_json_writer *self, ftr_str json);
