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

extern _Thread_local struct ftri_frame *ftri_frame_current
    __attribute__((tls_model("initial-exec")));

/* ftr_attach that takes the context's reference over, whatever comes of it. */
ftr_attachment ftri_attach_owned(ftr_context *context);
/* The same of a sampled span that is open. */
ftr_attachment ftri_attach_open(const struct ftri_record *record);
/* In a new session, another sampler may have to be asked. */
void ftri_frames_look_again(void);
