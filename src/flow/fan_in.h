/* SPDX-License-Identifier: Apache-2.0
 *
 * The sampled contributors of one fan-in: which of them become links, and the packed list of all.
 *
 * Made at the second sampled contributor of a visit, so that visits with one input allocate
 * nothing. Up to 50 contributors live in the reservoir alone; from the 51st on all are in the
 * manifest. A context that the reservoir holds already (children of one batch that meet again)
 * is one contributor, not two.
 * Owned by its visit, used by the visit's thread. */
#pragma once

#include "flow/node.h"

struct ftri_fan_in;

/* NULL: memory is short. */
struct ftri_fan_in *ftri_fan_in_new(const ftr_node *node) FTRI_MUST_CHECK;
/* NULL is fine. */
void ftri_fan_in_free(struct ftri_fan_in *self);
/* A sampled contributor; `input` is its index among all of the visit's inputs. Borrowed. */
void ftri_fan_in_add(struct ftri_fan_in *self, const ftr_context *context, uint64_t input);
/* Writes the links and the manifest's spans. has_parent: the first contributor is the span's parent
 * and no link. */
void ftri_fan_in_record(const struct ftri_fan_in *self, ftr_span span, bool has_parent);
/* Contributors that the manifest should name and does not. */
uint64_t ftri_fan_in_n_dropped(const struct ftri_fan_in *self);
