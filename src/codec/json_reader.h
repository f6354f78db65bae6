/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict JSON (RFC 8259), one token at a time out of a text in memory.
 *
 * Numbers are checked but delivered as text: what a number may be is the caller's decision (see
 * codec/json_number.h). Strings are delivered unescaped, as valid UTF-8, and may contain NUL. Names
 * that repeat within an object are all delivered. A byte order mark, an unpaired surrogate escape
 * and invalid UTF-8 are refused. One thread at a time; allocates only to unescape. */
#pragma once

#include "base/bytes.h"

enum { FTRI_JSON_DEPTH_MAX = 64 };

enum ftri_json_token {
    FTRI_JSON_END = 0, /* the text held exactly one value and it is over */
    FTRI_JSON_OBJECT,
    FTRI_JSON_OBJECT_END,
    FTRI_JSON_ARRAY,
    FTRI_JSON_ARRAY_END,
    FTRI_JSON_NAME, /* of an object's member; its value is the next token */
    FTRI_JSON_STRING,
    FTRI_JSON_NUMBER,
    FTRI_JSON_TRUE,
    FTRI_JSON_FALSE,
    FTRI_JSON_NULL
};

struct ftri_json_reader {
    /* Of the last token, for the caller to read. */
    ftr_str text;        /* NAME, STRING, NUMBER: borrowed until the next token */
    size_t offset;       /* where it begins; after -EBADMSG: the byte that is wrong */
    const char *problem; /* after -EBADMSG: why, for people */

    ftr_str json;
    size_t next;
    unsigned depth;
    uint64_t objects; /* bit i: level i is an object, not an array */
    int expected;     /* enum expected of json_reader.c */
    struct ftri_bytes unescaped;
};

/* json must stay until deinit. */
void ftri_json_reader_init(struct ftri_json_reader *self, struct ftri_view json);
void ftri_json_reader_deinit(struct ftri_json_reader *self);
/* An enum ftri_json_token, -EBADMSG or -ENOMEM. After a failure do not go on. */
int ftri_json_reader_next(struct ftri_json_reader *self) FTRI_MUST_CHECK;
/* Having read `token` as the beginning of a value, reads to the end of it. 0, or as above. */
int ftri_json_reader_skip(struct ftri_json_reader *self, int token) FTRI_MUST_CHECK;
