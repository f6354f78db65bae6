/* SPDX-License-Identifier: Apache-2.0
 *
 * The current context of a thread: a stack of attached contexts, the lowest one empty for ever.
 * Frames come in chunks that are made at a thread's first attach (and at every 32nd level) and kept
 * until the thread ends. Each field belongs to its thread. */
#pragma once

#include "context/block.h"

#include <flowtrace/span.h>

struct ftri_record;

struct ftri_frame {
    ftr_context context; /* holds a reference */
    uint64_t id;         /* of the attachment; 0: the lowest */
    ftr_span unsampled;  /* what children share that are not sampled; 0: none yet */
    uint32_t session;    /* in which that was made; 0 as long as there is none */
    bool is_plain;       /* sampled, valid, without a block, and nobody is to be asked about it */
};

/* The public word points to the current frame's context. */
static inline struct ftri_frame *ftri_frame_current(void)
{
    _Static_assert(offsetof(struct ftri_frame, context) == 0, "the context comes first");
    return (struct ftri_frame *)(uintptr_t)ftr_context_here;
}

/* ftr_attach that takes the context's reference over, whatever comes of it. */
ftr_attachment ftri_attach_owned(ftr_context *context);
/* The current context, but with this user span, which is open. */
ftr_attachment ftri_attach_user(const struct ftri_record *record);
/* The same of a sampled span that is open; the current user span stays. */
ftr_attachment ftri_attach_open(const struct ftri_record *record);
/* Both at once. */
ftr_attachment ftri_attach_both(const struct ftri_record *record, const struct ftri_record *user);
/* In a new session, another sampler may have to be asked. */
void ftri_frames_look_again(void);
