/* SPDX-License-Identifier: Apache-2.0
 *
 * A payload recorded through the public API, and the journal's records that came of it, copied as
 * they stood. The library is initialised and has no exporter; its worker is stopped meanwhile, so
 * that the records stay for us. One thread. */
#pragma once

#include "payload.h"

struct replay {
    struct ftri_bytes records; /* struct ftri_record, each at its size behind the last */
    ftr_span_data *expected;   /* the payload's spans with the ids that were recorded */
    size_t n_spans;
};

/* With call sites: as a program does that has one place for each name, and sets the attributes
 * there at once. */
void replay_init(struct replay *self, const struct payload *payload, bool has_sites);
void replay_deinit(struct replay *self);
