/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries in an open span's stream: adding, finding, replacing. Called by the thread that uses
 * the span.
 *
 * Keys are not compared while recording: the reader lets the last value of a key win. Only when as
 * many entries as attributes are allowed have been written, every further one is looked up: the
 * same key is written over (or marked dead and written anew with room to grow), a new one is
 * dropped and counted unless doubles leave room. So a span's memory stays bounded however often it
 * is set. */
#pragma once

#include "trace/span.h"

/* An entry's head with its place in the stream. */
struct ftri_found {
    struct ftri_entry entry;
    size_t position;
};

/* Appends head, key and value; `slack` bytes behind them stay free for a longer value. */
bool ftri_entry_append(struct ftri_open *open, struct ftri_entry *entry, ftr_str key,
                       const ftr_value *value, size_t slack);
/* The entry of this size behind the stream is a part of it from now on. */
void ftri_entry_publish(struct ftri_open *open, size_t size);
/* The last living entry of a type and key. */
bool ftri_entry_find(struct ftri_slot *slot, enum ftri_entry_type type, ftr_str key,
                     struct ftri_found *ret_found);
/* Over the old value when the room is enough, else anew with as much slack as it is long: values
 * that keep growing then cost at most twice their last length. False: no room. */
bool ftri_entry_replace(struct ftri_open *open, struct ftri_found *old, struct ftri_entry *entry,
                        ftr_str key, const ftr_value *value);
/* Every attribute in an entry of its own, those that a later one hides marked dead. Returns how
 * many different keys there are. */
uint32_t ftri_entries_settle(struct ftri_open *open);
/* Counts an attribute that there is no room for. */
void ftri_drop_attribute(struct ftri_open *open);
