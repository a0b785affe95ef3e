/*
 * events.h - noting one call, as inlined into each entry point.
 *
 * Layer: record. A birth is noted after the allocation, a death before the free: so whoever gets the address next finds
 * no word there, and a block's death is always published after its birth.
 */
#ifndef FH_EVENTS_H
#define FH_EVENTS_H

#include "stream.h"

/* The stream for one event; NULL if there is nothing to note. Pairs with fh_event_end. */
FH_INLINE struct fh_stream *fh_event_begin(void)
{
    struct fh_stream *stream = fh_stream_mine;
    if (FH_UNLIKELY(!stream || stream->busy)) stream = fh_trace_enter_slowly();
    if (FH_UNLIKELY(!stream)) return NULL;
    stream->busy = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (FH_UNLIKELY(stream->now.bytes >= stream->limit_bytes)) fh_trace_make_room(stream);
    return stream;
}

FH_INLINE void fh_event_end(struct fh_stream *stream, unsigned char *at)
{
    stream->now.bytes = (size_t)(at - stream->buffer);
    stream->now.events++;
    fh_store_release(&stream->published, (uint32_t)stream->now.bytes);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    stream->busy = 0;
    if (FH_UNLIKELY(stream != fh_stream_mine)) fh_trace_leave_slowly(stream);
}

FH_INLINE unsigned char *fh_event_at(struct fh_stream *stream) { return stream->buffer + stream->now.bytes; }

/* Gives the block its name. False when it has one: an entry point called another one, which noted it. */
FH_INLINE bool fh_event_name(struct fh_stream *stream, void *pointer, size_t size)
{
    uint64_t *word = fh_shadow_at(pointer);
    if (FH_UNLIKELY(!word)) word = fh_shadow_make(pointer);
    if (FH_UNLIKELY(!word || *word)) return false;
    uint64_t id = stream->thread << FH_SHADOW_THREAD_SHIFT | ++stream->now.births;
    if (FH_UNLIKELY(size >= FH_TOUCHED_FROM_BYTES)) {
        id |= FH_SHADOW_LARGE;
        fh_touched_add(pointer, size, id);
    }
    *word = id;
    return true;
}

FH_INLINE void fh_event_birth(enum fh_trace_code code, void *pointer, size_t size)
{
    struct fh_stream *stream = fh_event_begin();
    if (FH_UNLIKELY(!stream)) return;
    unsigned char *at = fh_event_at(stream);
    if (FH_UNLIKELY(!pointer)) {
        at = fh_event_head(at, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_FAILED);
        at = fh_event_leb(at, size);
    } else if (FH_LIKELY(fh_event_name(stream, pointer, size))) {
        at = fh_event_head(at, code, size);
    } else {
        stream->now.events--; /* nothing is noted after all */
    }
    fh_event_end(stream, at);
}

/* A death in the usual case: the block is the thread's own, and small. */
FH_INLINE unsigned char *fh_event_free_own(struct fh_stream *stream, unsigned char *at, uint64_t id)
{
    uint64_t number = id & FH_SHADOW_NUMBERS, recent = stream->now.births - number;
    int64_t step = (int64_t)(number - stream->now.last_freed);
    uint64_t zigzag = (uint64_t)step << 1 ^ (uint64_t)(step >> 63);
    stream->now.last_freed = number;
    if (recent <= zigzag) return fh_event_head(at, FH_TRACE_CODE_FREE_RECENT, recent);
    return fh_event_head(at, FH_TRACE_CODE_FREE_NEAR, zigzag);
}

/* Of a block of another thread, a large one, or one without a name. */
unsigned char *fh_event_free_other(struct fh_stream *stream, unsigned char *at, void *pointer, uint64_t id);

FH_INLINE void fh_event_death(void *pointer)
{
    struct fh_stream *stream = fh_event_begin();
    if (FH_UNLIKELY(!stream)) return;
    uint64_t *word = fh_shadow_at(pointer), id = 0;
    if (FH_LIKELY(word != NULL)) {
        id = *word;
        *word = 0;
    }
    unsigned char *at = fh_event_at(stream);
    /* One comparison for "this thread's" and "small"; a block without a name has number 0. */
    if (FH_LIKELY(id >> FH_SHADOW_NUMBER_BITS == stream->thread << 1 && id & FH_SHADOW_NUMBERS))
        at = fh_event_free_own(stream, at, id);
    else at = fh_event_free_other(stream, at, pointer, id);
    fh_event_end(stream, at);
}

#endif
