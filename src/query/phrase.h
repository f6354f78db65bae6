/* SPDX-License-Identifier: Apache-2.0
 *
 * A short phrase of bounded size about an attribute or an event. Any one thread. */
#pragma once

#include "base/check.h"

#include <flowtrace/types.h>

struct ftri_otlp_event;

enum { PHRASE_BYTES = 256, PHRASE_NAME_BYTES = 100 };

struct phrase {
    char text[PHRASE_BYTES];
    size_t len;
};

/* At most max bytes of it, whole characters only, the cut marked by an ellipsis. */
void phrase_add(struct phrase *self, ftr_str text, size_t max);
/* Texts, numbers and truth values; not bytes, arrays and maps. */
bool phrase_can_hold(const ftr_value *value);
void phrase_add_scalar(struct phrase *self, const ftr_value *value);
/* "batch_flush(full)", "flow.drop(filtered, items=3)": the event with its scalars in brackets. */
void phrase_set_event(struct phrase *ret_phrase, const struct ftri_otlp_event *event);
