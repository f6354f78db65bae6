/* SPDX-License-Identifier: Apache-2.0
 *
 * Baggage (W3C Baggage, working draft of 2024) in its normal form: members separated by commas,
 * without spaces, values percent-encoded, each key once, at most FTRI_BAGGAGE_MEMBERS members and
 * FTRI_BAGGAGE_BYTES bytes however many fields it came in. Values, no I/O, any thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

enum { FTRI_BAGGAGE_BYTES = 8192, FTRI_BAGGAGE_MEMBERS = 64 };
/* What is looked at of all fields together, members that are left out included. */
enum { FTRI_BAGGAGE_READ_BYTES = 65536, FTRI_BAGGAGE_READ_MEMBERS = 512 };

/* Borrowed. */
struct ftri_baggage_member {
    ftr_str key;
    ftr_str value;      /* percent-encoded */
    ftr_str properties; /* "p=1;q" */
};

struct ftri_baggage {
    size_t n;
    size_t len;
    size_t n_bytes_read;
    size_t n_members_read;
    char text[FTRI_BAGGAGE_BYTES];
};

/* Starts with a normal form; "" for none. */
void ftri_baggage_init(struct ftri_baggage *self, ftr_str text);
/* Adds what one field holds, as far as it fits. Members that are malformed are left out alone.
 * False: full, or enough was looked at: further fields need not be read. */
bool ftri_baggage_read(struct ftri_baggage *self, ftr_str field);
/* Adds or replaces one member. False (nothing changed): not a key, a value or properties, or no
 * room. */
bool ftri_baggage_put(struct ftri_baggage *self, ftr_str key, ftr_str value, ftr_str properties);
/* The same with any bytes as the value. */
bool ftri_baggage_put_decoded(struct ftri_baggage *self, ftr_str key, ftr_str value);
void ftri_baggage_remove(struct ftri_baggage *self, ftr_str key);

static inline ftr_str ftri_baggage_text(const struct ftri_baggage *self)
{
    return (ftr_str){self->text, self->len};
}

/* Takes the next member off a normal form; false: no more. */
bool ftri_baggage_next(ftr_str *rest, struct ftri_baggage_member *ret_member);
