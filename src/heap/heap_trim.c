/*
 * heap_trim.c - giving back everything that can be spared, because somebody asks for it, in steps.
 *
 * Layer: heap. A heap may be of any size, a page costs from 0.3 to 4 microseconds to give back, and other threads want
 * the lock meanwhile. So the lock is held only to choose what goes next: a slice of a free chunk, or of top, is
 * *withheld*, that is, it looks like a block; its pages go without the lock; then it is free again. Whoever finds no
 * other memory meanwhile waits for that (core/route.c). Between two steps the heap's cursor (heap.h) says where to go
 * on: whoever frees, splits or coalesces keeps it on a chunk. A fork in between finds what is withheld, and frees it in
 * the child; in the parent it is handed over like any block that is freed while the lock is frozen.
 */
#include "heap.h"
#include "os.h"

enum {
    STEP_CHUNKS = 512,      /* chunks that one step looks at: some tens of microseconds */
    SLICE_BYTES = 16 << 20, /* of a chunk or top, so that no more is out of reach for others meanwhile */
    TOP_LEAST = 64 << 10,   /* less than this of top goes with the lock held */
    PAUSE_US = 50,          /* for who sleeps until the lock is free to wake up and get it */
    FROZEN_PAUSES = 2000,   /* while a fork has frozen the lock: more than a fork takes */
    TRIES = 3               /* sweeps that may be begun, when other threads end them by allocating what has gone */
};

static void let_go(struct fh_heap *heap)
{
    if (!fh_lock_is_mine(&heap->lock)) return; /* given up for a fork */
    fh_heap_end_work();
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
    if (fh_load_relaxed(&heap->handed_over)) fh_heap_drain(heap);
    return true;
}

/* The pages of a tag between two spans, when they are no more than one, go as well: then the two are one. */
static bool close_gap(uintptr_t from, uintptr_t to)
{
    if (from >= to) return true;
    fh_heap_note_work(0, to - from);
    return fh_os_discard((void *)from, to - from);
}

/* A free chunk has been coalesced from three that had purged pages, of which the largest span is known still. */
static bool join_spans(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span below, struct fh_span span,
                       struct fh_span above)
{
    size_t page = fh_max(fh_os_page_size(), 4096);
    bool joins_below = fh_span_bytes(below) && span.from - below.to <= page;
    bool joins_above = fh_span_bytes(above) && above.from - span.to <= page;
    struct fh_span whole = {joins_below ? below.from : span.from, joins_above ? above.to : span.to};
    uint64_t content = fh_chunk_read(chunk);
    size_t known = fh_span_bytes(fh_chunk_span(chunk, content));
    if (fh_span_bytes(whole) <= known) return true;
    if (joins_below && !close_gap(below.to, span.from)) return false;
    if (joins_above && !close_gap(span.to, above.from)) return false;
    fh_heap_write_span(heap, chunk, whole);
    fh_count_add(&heap->purged_bytes, fh_span_bytes(whole) - known);
    return true;
}

bool fh_heap_end_withheld(struct fh_heap *heap)
{
    struct fh_chunk *chunk = heap->withheld, *start = chunk;
    struct fh_span span = heap->withheld_span, below = {0, 0};
    uint64_t content = fh_chunk_read(chunk);
    if (!(content & FH_CHUNK_PREVIOUS_IN_USE)) {
        start = (struct fh_chunk *)(void *)((char *)chunk - fh_chunk_previous_size(chunk));
        below = fh_chunk_span(start, fh_chunk_read(start));
    }
    struct fh_chunk *next = fh_chunk_at(chunk, fh_chunk_size(content));
    uint64_t next_content = fh_chunk_read(next);
    struct fh_span above = {0, 0};
    if (!(next_content & FH_CHUNK_IN_USE)) above = fh_chunk_span(next, next_content);
    fh_store_relaxed(&heap->withheld, NULL);
    fh_store_relaxed(&heap->withheld_bytes, 0);
    fh_guard_unmark(fh_chunk_payload(chunk));
    heap->span = span;
    heap->span_bytes = fh_span_bytes(span);
    /* It is no free of the program's: a returning heap would give back the rest of the chunk now, with the lock held.
     */
    bool returning = heap->returning;
    heap->returning = false;
    bool is_chunk = fh_heap_release_chunk(heap, chunk) != 0;
    heap->returning = returning;
    if (!is_chunk || !fh_span_bytes(span)) return true;
    fh_count_add(&heap->given_back_bytes, fh_span_bytes(span));
    return join_spans(heap, start, below, span, above);
}

/*
 * A fork has frozen the lock while the slice was out. The forking thread may be waiting for a lock of libc's that this
 * one holds (lock.h), so nobody waits here: who has the heap's lock next frees the slice.
 */
static void hand_over_withheld(struct fh_heap *heap, struct fh_chunk *chunk)
{
    fh_store_relaxed(&heap->withheld_by, FH_WITHHELD_BY_NOBODY);
    fh_store_relaxed(&heap->withheld_bytes, 0); /* it counts with what is handed over from now on */
    fh_heap_hand_over(heap, fh_chunk_payload(chunk));
}

/*
 * The chunk, which is withheld, loses these pages without the lock; then it is free again. False when the kernel
 * refuses. The lock is held at the start, and at the end unless a fork has frozen it: then it is true.
 */
static bool give_back(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span pages)
{
    fh_heap_end_huge(heap);
    heap->withheld_span = (struct fh_span){0, 0};
    fh_store_relaxed(&heap->withheld_by, fh_os_self());
    fh_store_relaxed(&heap->withheld_bytes, fh_chunk_size(fh_chunk_read(chunk)));
    fh_store_relaxed(&heap->withheld, chunk);
    fh_count_add(&heap->withheld_times, 1);
    let_go(heap);
    bool given = fh_os_discard((void *)pages.from, fh_span_bytes(pages));
    if (given) heap->withheld_span = pages;
    if (!fh_lock_acquire(&heap->lock)) {
        hand_over_withheld(heap, chunk);
        return true;
    }
    return fh_heap_end_withheld(heap) && given;
}

/* Where a chunk begins whose first whole page this is. */
static size_t offset_of(const struct fh_chunk *chunk, uintptr_t page)
{
    return page - sizeof(struct fh_purged_chunk) - (uintptr_t)chunk;
}
/* Where it ends when this is the end of its last whole page. */
static size_t end_offset_of(const struct fh_chunk *chunk, uintptr_t page) { return page + 8 - (uintptr_t)chunk; }

/*
 * A slice of top's touched pages below `*end` and beyond `keep_bytes`, from above, so that the break then moves down
 * over nothing. False when there is no more to do.
 */
static bool empty_top(struct fh_heap *heap, size_t keep_bytes, uintptr_t *end)
{
    struct fh_chunk *top = heap->top;
    uintptr_t upto = fh_min((uintptr_t)heap->backed, *end);
    if (!top || upto <= (uintptr_t)top) return false;
    size_t size = fh_chunk_size(fh_chunk_read(top)), touched = upto - (uintptr_t)top;
    if (touched < TOP_LEAST || touched - TOP_LEAST < keep_bytes || size < TOP_LEAST) return false;
    size_t to = fh_align_down(fh_min(touched + 8, size - 2 * FH_CHUNK_LEAST), FH_ALIGNMENT);
    struct fh_span inner = fh_chunk_inner_pages(top, to), pages = inner;
    pages.from = fh_align_up(pages.from + keep_bytes, fh_max(fh_os_page_size(), 4096));
    if (!fh_span_bytes(pages)) return false;
    pages.from = pages.to - fh_min(fh_span_bytes(pages), SLICE_BYTES);
    *end = pages.from;
    size_t from = pages.from == inner.from ? 0 : offset_of(top, pages.from);
    return give_back(heap, fh_heap_withhold_top(heap, from, to), pages);
}

static bool trim_top(struct fh_heap *heap, size_t keep_bytes)
{
    for (uintptr_t end = UINTPTR_MAX;; let_go(heap)) {
        if (!acquire(heap)) return false;
        if (heap->withheld || !empty_top(heap, keep_bytes, &end)) break;
    }
    bool any = fh_heap_trim_top(heap, keep_bytes);
    heap->trimmed_bytes = 0; /* asked for: growing again is no sign of thrashing */
    let_go(heap);
    return any;
}

static struct fh_segment *segment_of(struct fh_heap *heap, const struct fh_chunk *chunk)
{
    struct fh_segment *segment = heap->segments;
    while (segment && !fh_segment_holds(segment, chunk)) segment = segment->next;
    return segment;
}

/* The next free chunk from the cursor on with whole pages in memory, among so many; the cursor stays on it. NULL for
 * none, and the cursor is then where to go on, or NULL at the end of the heap. */
static struct fh_chunk *next_to_purge(struct fh_heap *heap, struct fh_span *pages, struct fh_span *gone)
{
    struct fh_chunk *chunk = heap->cursor;
    struct fh_segment *segment = segment_of(heap, chunk);
    for (int i = 0; segment && i < STEP_CHUNKS; i++) {
        fh_heap_note_work(1, 0);
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

/* What goes next of a chunk's pages: beside those that have gone, so that what has gone is one span. The tag between
 * the two takes a page of what has gone, for a moment; a single page would be forgotten over that, so it goes again. */
static struct fh_span slice_of(struct fh_span pages, struct fh_span gone)
{
    if (fh_span_bytes(gone) <= fh_max(fh_os_page_size(), 4096)) gone.from = gone.to = pages.from;
    if (gone.from > pages.from)
        return (struct fh_span){gone.from - fh_min(gone.from - pages.from, SLICE_BYTES), gone.from};
    return (struct fh_span){gone.to, gone.to + fh_min(pages.to - gone.to, SLICE_BYTES)};
}

/* A chunk of which no more has gone than before is left behind, whatever the reason: a sweep must come to its end. */
static void pass_if_stuck(struct fh_heap *heap, size_t gone_bytes)
{
    struct fh_chunk *chunk = heap->cursor;
    if (!chunk || chunk == heap->top) return;
    uint64_t content = fh_chunk_read(chunk);
    if (content & FH_CHUNK_IN_USE || fh_span_bytes(fh_chunk_span(chunk, content)) > gone_bytes) return;
    heap->cursor = fh_chunk_at(chunk, fh_chunk_size(content));
}

/* One step of the sweep; false when it is over. */
static bool purge_step(struct fh_heap *heap, bool *any)
{
    struct fh_span pages, gone;
    struct fh_chunk *chunk = next_to_purge(heap, &pages, &gone);
    if (!chunk) return heap->cursor != NULL;
    if (heap->withheld) return false; /* another thread trims this heap: it does it all */
    struct fh_span slice = slice_of(pages, gone);
    size_t from = slice.from == pages.from ? 0 : offset_of(chunk, slice.from);
    size_t to = slice.to == pages.to ? fh_chunk_size(fh_chunk_read(chunk)) : end_offset_of(chunk, slice.to);
    if (!give_back(heap, fh_heap_withhold(heap, chunk, from, to), slice)) {
        heap->cursor = NULL;
        return false;
    }
    *any = true;
    if (!fh_lock_is_mine(&heap->lock)) return true;
    pass_if_stuck(heap, fh_span_bytes(gone));
    return true;
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
