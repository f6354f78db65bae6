/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/current.h"

#include "base/mem.h"
#include "trace/sampling.h"
#include "trace/span.h"

#include <pthread.h>
#include <string.h>

enum { FRAMES_PER_CHUNK = 32 };

struct chunk {
    struct chunk *previous;
    struct chunk *next;
    struct ftri_frame frames[FRAMES_PER_CHUNK];
};

/* Below the first attachment; never written. */
static struct ftri_frame lowest;

__thread const ftr_context *ftr_context_here = &lowest.context;

static _Thread_local struct chunk *chunk; /* that of the current frame, or the first one */
static _Thread_local uint32_t n_frames;   /* all attachments */
static _Thread_local uint64_t last_id;    /* of an attachment: no other thread's, see first_id */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

/* value: the thread's first chunk. */
static void free_chunks(void *value)
{
    while (n_frames > 0)
        ftr_detach((ftr_attachment){ftri_frame_current()->id});
    for (struct chunk *at = value; at;) {
        struct chunk *next = at->next;
        ftri_free(at);
        at = next;
    }
    chunk = NULL;
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, free_chunks) == 0;
}

/* Each thread counts on from another place, so that a token says nothing on another thread. */
static uint64_t first_id(void)
{
    static _Atomic uint64_t n_threads;
    return atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) << 40;
}

static struct chunk *new_chunk(struct chunk *previous)
{
    pthread_once(&once, make_key);
    struct chunk *made = has_key ? ftri_zalloc(sizeof *made) : NULL;
    if (!made)
        return NULL;
    if (!previous && pthread_setspecific(key, made) != 0) {
        ftri_free(made);
        return NULL;
    }
    made->previous = previous;
    if (previous)
        previous->next = made;
    else
        last_id = first_id();
    return made;
}

/* The chunk of the next frame, made if it is not there; NULL: memory is short. */
static __attribute__((noinline)) struct chunk *chunk_for_next(void)
{
    if (!chunk)
        return new_chunk(NULL);
    if (n_frames == 0 || n_frames % FRAMES_PER_CHUNK != 0)
        return chunk;
    return chunk->next ? chunk->next : new_chunk(chunk);
}

/* Whether the next frame is there already. */
static FTRI_ALWAYS_INLINE bool has_frame(void)
{
    return FTRI_LIKELY(chunk != NULL) && FTRI_LIKELY(n_frames % FRAMES_PER_CHUNK != 0 || !n_frames);
}

/* It is in use from now on. */
static FTRI_ALWAYS_INLINE struct ftri_frame *next_frame(void)
{
    return &chunk->frames[n_frames++ % FRAMES_PER_CHUNK];
}

/* The same whether it is there or not; NULL: memory is short. */
static struct ftri_frame *take_frame(void)
{
    struct chunk *room = has_frame() ? chunk : chunk_for_next();
    if (!room)
        return NULL;
    chunk = room;
    return next_frame();
}

static bool is_plain(const ftr_context *context)
{
    return ftri_context_is_plain(context) &&
           !(context->span.is_remote && ftri_sampling_is_asked(FTRI_SAMPLING_REMOTE));
}

void ftri_frames_look_again(void)
{
    struct chunk *at = chunk;
    for (uint32_t n = n_frames; n > 0; n--) {
        const uint32_t i = (n - 1) % FRAMES_PER_CHUNK;
        at->frames[i].is_plain = is_plain(&at->frames[i].context);
        if (i == 0)
            at = at->previous;
    }
}

/* What the thread's starts look at first. */
static FTRI_ALWAYS_INLINE void set_current(struct ftri_frame *frame)
{
    ftr_context_here = &frame->context;
    ftr_unsampled_child = (ftr_unsampled){frame->unsampled.handle, frame->session};
}

/* The frame's context is set. */
static FTRI_ALWAYS_INLINE ftr_attachment enter(struct ftri_frame *frame, bool is_plain_one)
{
    frame->unsampled = (ftr_span){0, 0};
    frame->session = 0;
    frame->is_plain = is_plain_one;
    frame->id = ++last_id;
    ftr_context_here = &frame->context;
    ftr_unsampled_child.session = 0;
    return (ftr_attachment){frame->id};
}

ftr_attachment ftri_attach_owned(ftr_context *context)
{
    struct ftri_frame *frame = take_frame();
    if (!frame) {
        ftri_context_block_unref(context->block);
        return (ftr_attachment){0};
    }
    frame->context = *context;
    return enter(frame, is_plain(context));
}

/* In words, as ftri_open_show wrote it. */
static FTRI_ALWAYS_INLINE void copy_shown(ftr_span_context *to, const ftr_span_context *from)
{
    to->trace_id = from->trace_id;
    to->span_id = from->span_id;
    memcpy(&to->trace_flags, &from->trace_flags, sizeof(uint64_t));
}

/* user: NULL, or a span that is to be current with it, in the place of the current one. */
static FTRI_ALWAYS_INLINE ftr_attachment enter_open(struct ftri_frame *frame,
                                                    const struct ftri_record *record,
                                                    const struct ftri_record *user)
{
    ftr_context *context = &frame->context;
    if (user)
        ftri_open_show(user, &context->user);
    else
        copy_shown(&context->user, &ftr_context_here->user);
    ftri_open_show(record, &context->span);
    context->block = record->block;
    return enter(frame, !record->block);
}

/* A frame, or a block, has to be asked for. */
static __attribute__((noinline)) ftr_attachment attach_open_slow(const struct ftri_record *record,
                                                                 const struct ftri_record *user)
{
    struct ftri_frame *frame = take_frame();
    if (!frame)
        return (ftr_attachment){0};
    ftri_context_block_ref(record->block);
    return enter_open(frame, record, user);
}

/* Calls nothing, so that nothing is saved; so does ftr_detach. */
ftr_attachment ftri_attach_open(const struct ftri_record *record)
{
    if (FTRI_UNLIKELY(record->block || !has_frame()))
        return attach_open_slow(record, NULL);
    return enter_open(next_frame(), record, NULL);
}

ftr_attachment ftri_attach_both(const struct ftri_record *record, const struct ftri_record *user)
{
    if (FTRI_UNLIKELY(record->block || !has_frame()))
        return attach_open_slow(record, user);
    return enter_open(next_frame(), record, user);
}

/* Which is plain as it is, and unsampled children are its own. */
static FTRI_ALWAYS_INLINE ftr_attachment enter_user(struct ftri_frame *frame,
                                                    const struct ftri_record *record)
{
    const struct ftri_frame *around = ftri_frame_current();
    ftr_context *context = &frame->context;
    copy_shown(&context->span, &around->context.span);
    ftri_open_show(record, &context->user);
    context->block = around->context.block;
    return enter(frame, around->is_plain);
}

static __attribute__((noinline)) ftr_attachment attach_user_slow(const struct ftri_record *record)
{
    struct ftri_frame *frame = take_frame();
    if (!frame)
        return (ftr_attachment){0};
    ftri_context_block_ref(ftr_context_here->block);
    return enter_user(frame, record);
}

ftr_attachment ftri_attach_user(const struct ftri_record *record)
{
    if (FTRI_UNLIKELY(ftr_context_here->block || !has_frame()))
        return attach_user_slow(record);
    return enter_user(next_frame(), record);
}

ftr_attachment ftr_attach(const ftr_context *context)
{
    ftr_context copy = ftr_context_copy(context);
    return ftri_attach_owned(&copy);
}

static FTRI_ALWAYS_INLINE struct ftri_frame *frame_below(void)
{
    if (n_frames == 0)
        return &lowest;
    const uint32_t i = (n_frames - 1) % FRAMES_PER_CHUNK;
    if (i == FRAMES_PER_CHUNK - 1)
        chunk = chunk->previous;
    return &chunk->frames[i];
}

static FTRI_ALWAYS_INLINE void leave_frame(void)
{
    n_frames--;
    set_current(frame_below());
}

/* A frame that holds something. */
static __attribute__((noinline)) void detach_slow(struct ftri_frame *frame)
{
    if (frame->unsampled.handle)
        (void)ftri_span_release_unsampled(frame->unsampled);
    ftri_context_block_unref(frame->context.block);
    leave_frame();
}

void ftr_detach(ftr_attachment attachment)
{
    struct ftri_frame *frame = ftri_frame_current();
    if (FTRI_UNLIKELY(attachment.id == 0 || attachment.id != frame->id))
        ftri_count_stale();
    else if (FTRI_UNLIKELY(frame->unsampled.handle || frame->context.block))
        detach_slow(frame);
    else
        leave_frame();
}

bool ftr_current_traceparent(char ret_text[FTR_TRACEPARENT_LEN + 1])
{
    return ftr_traceparent_format(&ftri_frame_current()->context.span, ret_text);
}

ftr_str ftr_current_tracestate(void)
{
    const ftr_context *context = &ftri_frame_current()->context;
    return ftri_context_has_ids(context) ? ftr_context_tracestate(context) : FTR_STR("");
}

ftr_context ftr_context_current(void)
{
    return ftr_context_copy(&ftri_frame_current()->context);
}
