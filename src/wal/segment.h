/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of the log and what is known of its records: which are live (not released). The format
 * is drawn in wal.c. Once the log is open, all fields are touched under its lock only. */
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "wal/wal.h"
#include "wal/watermark.h"

enum {
    WAL_SEGMENT_HEAD_BYTES = 32,
    WAL_RECORD_HEAD_BYTES = 36,
    WAL_SEGMENT_NAME_BYTES = 40,
    WAL_SEGMENT_VERSION = 1,
};
/* A body may not be longer; a length on disk that is longer is damage. */
#define WAL_BODY_LIMIT (UINT32_C(256) << 20)

struct wal_segment {
    struct ftri_list link;
    char name[WAL_SEGMENT_NAME_BYTES];
    int fd;          /* -1: closed */
    uint64_t base;   /* no position in it is below */
    uint64_t salt;   /* starts every checksum */
    uint64_t end;    /* the position after its last record */
    uint64_t size;   /* bytes up to the end of its last whole record */
    uint64_t n_live; /* records in `live` */
    uint64_t *live;  /* bit position - base */
    size_t n_words;
    /* What fdatasync has covered. */
    uint64_t synced_end;
    uint64_t synced_size;
    bool is_entered;    /* its name in the directory is durable */
    bool is_unreadable; /* in part, by this process: more may be live than is known */
    unsigned n_pins;    /* while in use, or while it holds damage of which there is no copy */
};

/* The name of a segment file; false when it is none. */
bool wal_segment_parse_name(const char *name, uint64_t *ret_base,
                            uint64_t *ret_salt) FTRI_MUST_CHECK;

/* Describes a file that exists. NULL: memory is short. */
struct wal_segment *wal_segment_new(uint64_t base, uint64_t salt) FTRI_MUST_CHECK;
/* Makes the file and writes its head; not durable yet. Leaves no file behind on failure. */
int wal_segment_create(int directory, uint64_t base,
                       struct wal_segment **ret_segment) FTRI_MUST_CHECK;
/* Closes the file, leaves it where it is. NULL is fine. */
void wal_segment_free(struct wal_segment *self);
void wal_segment_close_file(struct wal_segment *self);

/* Room in `live` for the position, so that wal_segment_note cannot fail. */
int wal_segment_reserve(struct wal_segment *self, uint64_t position) FTRI_MUST_CHECK;
/* There is a record at the position, not released. */
void wal_segment_note(struct wal_segment *self, uint64_t position);
bool wal_segment_is_live(const struct wal_segment *self, uint64_t position);
/* False when it was not live. */
bool wal_segment_release(struct wal_segment *self, uint64_t position);
/* Returns how many positions from `position` on were live. */
uint64_t wal_segment_release_from(struct wal_segment *self, uint64_t position);
/* The lowest live position; self->end when there is none. */
uint64_t wal_segment_first_live(const struct wal_segment *self);

/* What a record's or a segment's head says. */
struct wal_record_head {
    uint32_t head_crc, record_crc;
    uint32_t length, kind;
    uint64_t position, received_ns;
};
/* Writes the head of a record, checksums included. */
void wal_record_encode(const struct wal_record *record, uint64_t salt,
                       uint8_t ret_head[WAL_RECORD_HEAD_BYTES]);
/* False unless the magic and the head's own checksum are right. */
bool wal_record_decode(const uint8_t head[WAL_RECORD_HEAD_BYTES], uint64_t salt,
                       struct wal_record_head *ret_head) FTRI_MUST_CHECK;
/* The checksum of a record up to its body, to be continued over the body. */
uint32_t wal_record_crc_start(const uint8_t head[WAL_RECORD_HEAD_BYTES], uint64_t salt);
/* False unless the magic and the checksum are right. */
bool wal_segment_decode_head(const uint8_t head[WAL_SEGMENT_HEAD_BYTES], uint32_t *ret_version,
                             uint64_t *ret_base, uint64_t *ret_salt) FTRI_MUST_CHECK;
extern const uint8_t wal_record_magic[4];
