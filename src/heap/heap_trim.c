/*
 * heap_trim.c - giving back everything that can be spared, because somebody asks for it, in bounded steps.
 *
 * Layer: heap. A heap may be of any size, and other threads want its lock meanwhile. So the work is cut into steps of
 * at most some 50 microseconds, and the lock is let go after each. Between two steps the heap's cursor (heap.h) says
 * where to go on: whoever frees, splits or coalesces keeps it on a chunk.
 */
#include "heap.h"
#include "os.h"

enum {
    STEP_COST = 1000, /* of what one step may do; a unit is about 50 nanoseconds: */
    CHUNK_COST = 1,   /* a look at a chunk */
    CALL_COST = 20,   /* a system call */
    PAGE_COST = 6,    /* a page of 4 KiB that goes */
    STEP_BYTES = 512 << 10,
    TRIES = 3 /* sweeps that may be begun, when other threads end them by allocating what has gone */
};
FH_STATIC_ASSERT(STEP_BYTES / 4096 * PAGE_COST + CALL_COST <= STEP_COST, "a step may give back its bytes");

/* Touched bytes of top beyond `keep_bytes`. */
static size_t spare_of_top(const struct fh_heap *heap, size_t keep_bytes)
{
    if (!heap->top || heap->fresh <= (char *)heap->top) return 0;
    size_t touched = (size_t)(heap->fresh - (char *)heap->top);
    return touched > keep_bytes ? touched - keep_bytes : 0;
}

/* A slice of top; true when there may be more. The first one takes with it what was never touched. */
static bool trim_top_step(struct fh_heap *heap, size_t keep_bytes, bool *any)
{
    size_t spare = spare_of_top(heap, keep_bytes), slice = fh_min(spare, STEP_BYTES);
    size_t keep = keep_bytes;
    if (slice < spare) keep += spare - slice; /* no more than is touched: it can't overflow */
    if (!fh_heap_trim_top(heap, keep)) return false;
    *any = true;
    return slice < spare;
}

/* Free chunks from the cursor on lose their whole pages; false at the end of the heap, or when the kernel refuses. */
static bool purge_step(struct fh_heap *heap, bool *any)
{
    struct fh_chunk *chunk = heap->cursor;
    struct fh_segment *segment = fh_heap_segment_of(heap, chunk);
    for (size_t cost = 0; segment && cost < STEP_COST; cost += CHUNK_COST) {
        if (chunk >= fh_segment_end(segment) || chunk == heap->top) {
            segment = segment->next;
            chunk = segment ? fh_segment_first(segment) : NULL;
            continue;
        }
        uint64_t content = fh_chunk_read(chunk);
        size_t went = content & FH_CHUNK_IN_USE ? 0 : fh_heap_purge_chunk(heap, chunk, STEP_BYTES);
        if (went) { /* there may be more of it */
            *any = true;
            cost += CALL_COST + went / 4096 * PAGE_COST;
            continue;
        }
        if (!heap->cursor) return false; /* refused: that has ended all sweeps */
        chunk = fh_chunk_at(chunk, fh_chunk_size(content));
    }
    heap->cursor = segment ? chunk : NULL;
    return segment != NULL;
}

bool fh_heap_trim(struct fh_heap *heap, size_t keep_bytes)
{
    bool any = false, more = true, asked = false;
    for (; more; fh_lock_release(&heap->lock)) {
        if (!fh_lock_acquire(&heap->lock)) return any;
        if (!asked) fh_heap_drain(heap);
        asked = true;
        more = trim_top_step(heap, keep_bytes, &any);
        heap->trimmed_bytes = 0; /* asked for: growing again is no sign of thrashing */
    }
    int tries = 0;
    for (more = true; more; fh_lock_release(&heap->lock)) {
        if (!fh_lock_acquire(&heap->lock)) return any;
        if (tries == 0 || !heap->cursor) {
            if (!heap->segments || tries == TRIES) more = false;
            else heap->cursor = fh_segment_first(heap->segments);
            tries++;
        }
        if (more) more = purge_step(heap, &any);
    }
    return any;
}
