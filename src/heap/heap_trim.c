/*
 * heap_trim.c - giving back everything that can be spared, because somebody asks for it, in steps.
 *
 * Layer: heap. A heap may be of any size, a page costs from 0.3 to 4 microseconds to give back, and other threads want
 * the lock meanwhile. So the lock is held only to choose what goes next: a free chunk is *withheld*, that is, it looks
 * like a block; its pages go without the lock; then it is free again. Between two steps the heap's cursor (heap.h) says
 * where to go on: whoever frees, splits or coalesces keeps it on a chunk. A fork in between finds what is withheld, and
 * frees it in the child.
 */
#include "heap.h"
#include "os.h"

enum {
    STEP_CHUNKS = 512,      /* chunks that one step looks at: some tens of microseconds */
    SLICE_BYTES = 16 << 20, /* of a chunk, so that no more is out of reach for others meanwhile */
    TOP_LEAST = 64 << 10,   /* less than this of top goes with the lock held */
    PAUSE_US = 50,          /* for who sleeps until the lock is free to wake up and get it */
    FROZEN_PAUSES = 2000,   /* while a fork has frozen the lock: more than a fork takes */
    TRIES = 3               /* sweeps that may be begun, when other threads end them by allocating what has gone */
};

static void let_go(struct fh_heap *heap)
{
    bool wanted = fh_lock_is_wanted(&heap->lock);
    fh_lock_release(&heap->lock);
    if (wanted) fh_os_pause_us(PAUSE_US);
}

/*
 * Waits for the end of a fork, which takes a moment, but not for ever: whoever trims may be in a malloc under a lock of
 * libc's that the forking thread is yet to take (lock.h). False then, and when a signal handler interrupted the holder.
 */
static bool acquire(struct fh_heap *heap)
{
    for (int i = 0; !fh_lock_acquire(&heap->lock); i++) {
        if (i == FROZEN_PAUSES || fh_lock_is_mine(&heap->lock)) return false;
        fh_os_pause_us(PAUSE_US);
    }
    return true;
}

void fh_heap_end_withheld(struct fh_heap *heap)
{
    struct fh_chunk *chunk = heap->withheld;
    heap->withheld = NULL;
    heap->span = heap->withheld_span;
    heap->span_bytes = fh_span_bytes(heap->span);
    /* It is no free of the program's: a returning heap would give back the rest of the chunk now, with the lock held. */
    bool returning = heap->returning;
    heap->returning = false;
    fh_heap_release_chunk(heap, chunk);
    heap->returning = returning;
}

/*
 * The chunk, which is withheld, loses the pages from `from` to `to`, of which those in `gone` have gone before, without
 * the lock; then it is free again. False when the kernel refuses. The lock is held at the start and at the end.
 */
static bool give_back(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span pages, struct fh_span gone)
{
    if (!fh_span_bytes(gone)) gone.from = gone.to = pages.from;
    heap->withheld = chunk;
    heap->withheld_span = gone; /* for the child of a fork: no more than is sure */
    heap->withheld_by = fh_os_self();
    let_go(heap);
    bool given = (pages.from >= gone.from || fh_os_discard((void *)pages.from, gone.from - pages.from)) &&
                 (gone.to >= pages.to || fh_os_discard((void *)gone.to, pages.to - gone.to));
    /* While a fork has frozen the lock, it is not waiting for us. */
    while (!fh_lock_acquire(&heap->lock)) fh_os_pause_us(PAUSE_US);
    if (given) heap->withheld_span = pages;
    fh_heap_end_withheld(heap);
    return given;
}

/* Touched pages of top beyond `keep_bytes` go first, so that the break then moves down over nothing. */
static void empty_top(struct fh_heap *heap, size_t keep_bytes)
{
    struct fh_chunk *top = heap->top;
    if (!top || heap->fresh <= (char *)top) return;
    size_t size = fh_chunk_size(fh_chunk_read(top)), touched = (size_t)(heap->fresh - (char *)top);
    if (touched < TOP_LEAST || touched - TOP_LEAST < keep_bytes || size < TOP_LEAST) return;
    size_t part = fh_align_down(fh_min(touched, size - 2 * FH_CHUNK_LEAST), FH_ALIGNMENT);
    struct fh_chunk *chunk = fh_heap_withhold_top(heap, part);
    if (!chunk) return;
    size_t page = fh_max(fh_os_page_size(), 4096);
    struct fh_span pages = fh_chunk_inner_pages(chunk, part);
    pages.from = fh_align_up(pages.from + keep_bytes, page);
    if (fh_span_bytes(pages)) give_back(heap, chunk, pages, (struct fh_span){0, 0});
    else fh_heap_release_chunk(heap, chunk);
}

static bool trim_top(struct fh_heap *heap, size_t keep_bytes)
{
    if (!acquire(heap)) return false;
    fh_heap_drain(heap);
    if (!heap->withheld) empty_top(heap, keep_bytes);
    bool any = fh_heap_trim_top(heap, keep_bytes);
    heap->trimmed_bytes = 0; /* asked for: growing again is no sign of thrashing */
    let_go(heap);
    return any;
}

/* The next free chunk from the cursor on with whole pages in memory, among so many; the cursor stays on it. NULL for
 * none, and the cursor is then where to go on, or NULL at the end of the heap. */
static struct fh_chunk *next_to_purge(struct fh_heap *heap, struct fh_span *pages, struct fh_span *gone)
{
    struct fh_chunk *chunk = heap->cursor;
    struct fh_segment *segment = fh_heap_segment_of(heap, chunk);
    for (int i = 0; segment && i < STEP_CHUNKS; i++) {
        if (chunk >= fh_segment_end(segment) || chunk == heap->top) {
            segment = segment->next;
            chunk = segment ? fh_segment_first(segment) : NULL;
            continue;
        }
        uint64_t content = fh_chunk_read(chunk);
        heap->cursor = chunk;
        if (!(content & FH_CHUNK_IN_USE)) {
            *pages = fh_chunk_inner_pages(chunk, fh_chunk_size(content));
            *gone = fh_chunk_span(chunk, content);
            if (fh_span_bytes(*pages) > fh_span_bytes(*gone)) return chunk;
        }
        chunk = fh_chunk_at(chunk, fh_chunk_size(content));
    }
    heap->cursor = segment ? chunk : NULL;
    return NULL;
}

/* One step of the sweep; false when it is over. */
static bool purge_step(struct fh_heap *heap, bool *any)
{
    struct fh_span pages, gone;
    struct fh_chunk *chunk = next_to_purge(heap, &pages, &gone);
    if (!chunk) return heap->cursor != NULL;
    if (heap->withheld) return false; /* another thread trims this heap: it does it all */
    if (!fh_span_bytes(gone)) gone.from = gone.to = pages.from;
    pages.from = gone.from - fh_min(gone.from - pages.from, SLICE_BYTES);
    pages.to = gone.to + fh_min(pages.to - gone.to, SLICE_BYTES);
    fh_heap_withhold(heap, chunk);
    if (give_back(heap, chunk, pages, gone)) return *any = true;
    fh_heap_stop_sweep(heap);
    return false;
}

bool fh_heap_trim(struct fh_heap *heap, size_t keep_bytes)
{
    bool any = trim_top(heap, keep_bytes), more = true;
    for (int tries = 0; more; let_go(heap)) {
        if (!acquire(heap)) return any; /* a cursor that is left behind is nobody's: heap_purge.c takes no notice */
        if (tries == 0 || !heap->cursor) {
            if (!heap->segments || tries == TRIES) more = false;
            else heap->cursor = fh_segment_first(heap->segments);
            tries++;
        }
        if (more) more = purge_step(heap, &any);
    }
    return any;
}
