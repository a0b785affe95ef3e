/*
 * heap.c - allocation, splitting and coalescing of chunks (R1, R2, R4, R5).
 *
 * Layer: heap. Growth and trimming are in heap_grow.c.
 */
#include "heap.h"

#include "options.h"
#include "os.h"
#include "pagemap.h"

enum {
    HANDED_OVER_LIMIT = 1 << 20, /* bytes that may wait before a free waits for the lock instead */
    COPIED_RATHER = 16 << 10     /* what a shrinking block keeps at most for it to be moved out of its hole */
};

#if defined(FH_DEBUG) && FH_DEBUG
struct fh_heap_work fh_heap_work, fh_heap_work_most;
void fh_heap_end_work(void)
{
    fh_store_relaxed(&fh_heap_work_most.chunks, fh_max(fh_heap_work_most.chunks, fh_heap_work.chunks));
    fh_store_relaxed(&fh_heap_work_most.bytes, fh_max(fh_heap_work_most.bytes, fh_heap_work.bytes));
    fh_store_relaxed(&fh_heap_work.chunks, 0);
    fh_store_relaxed(&fh_heap_work.bytes, 0);
}
#endif

void fh_heap_init(struct fh_heap *heap, uint32_t id)
{
    fh_lock_init(&heap->lock, FH_RANK_HEAP);
    heap->id = id;
}

static struct fh_place place_of(const struct fh_heap *heap) { return (struct fh_place){"a chunk", 0, (int)heap->id}; }

static void note_used(struct fh_heap *heap, size_t size)
{
    fh_count_add(&heap->used_bytes, size);
    fh_count_add(&heap->used_chunks, 1);
}

static void note_unused(struct fh_heap *heap, size_t size)
{
    fh_count_sub(&heap->used_bytes, size);
    fh_count_sub(&heap->used_chunks, 1);
}

/* Makes [chunk, chunk + size) a free chunk in its bin. Its predecessor is in use (H3); its successor learns of it. It
 * inherits the purged pages of those that were taken out. */
static void make_free(struct fh_heap *heap, struct fh_chunk *chunk, size_t size)
{
    unsigned flags = FH_CHUNK_PREVIOUS_IN_USE;
    if (FH_UNLIKELY(heap->span_bytes)) flags |= fh_heap_inherit_span(heap, chunk, size);
    fh_chunk_write(chunk, size, flags);
    fh_chunk_write_footer(chunk, size);
    fh_bins_insert(&heap->bins, chunk, size);
    fh_count_add(&heap->free_bytes, size);
    heap->page_bytes += fh_chunk_pages_at_most(size);
}

/* Takes a free chunk out of its bin. */
FH_INLINE void take_free(struct fh_heap *heap, struct fh_chunk *chunk, uint64_t content)
{
    size_t size = fh_chunk_size(content);
    if (FH_UNLIKELY(content & FH_CHUNK_PURGED)) fh_heap_take_span(heap, chunk, content);
    fh_bins_remove(&heap->bins, chunk, size);
    fh_count_sub(&heap->free_bytes, size);
    heap->page_bytes -= fh_chunk_pages_at_most(size);
}

/* Chunk borders within [chunk, chunk + size) are gone. */
static void forget_cursor(struct fh_heap *heap, struct fh_chunk *chunk, size_t size)
{
    if (FH_UNLIKELY((uintptr_t)heap->cursor - (uintptr_t)chunk < size)) heap->cursor = chunk;
}

size_t fh_heap_release_chunk(struct fh_heap *heap, struct fh_chunk *chunk)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content);
    size_t freed = size;
    if (FH_UNLIKELY(!(content & FH_CHUNK_IN_USE)))
        fh_fault(FH_FAULT_DOUBLE_FREE, fh_chunk_payload(chunk), size - FH_CHUNK_TAG_BYTES, place_of(heap));
    note_unused(heap, size);
    /* A tag that coalescing leaves behind in the middle of a free chunk says "free": a second free finds it. */
    fh_chunk_write(chunk, size, content & FH_CHUNK_PREVIOUS_IN_USE);
    if (!(content & FH_CHUNK_PREVIOUS_IN_USE)) {
        size_t previous = fh_chunk_previous_size(chunk);
        chunk = (struct fh_chunk *)(void *)((char *)chunk - previous);
        content = fh_chunk_read(chunk);
        if (FH_UNLIKELY(fh_chunk_size(content) != previous))
            fh_fault(FH_FAULT_DAMAGED_HEADER, chunk, SIZE_MAX, place_of(heap));
        take_free(heap, chunk, content);
        size += previous;
    }
    struct fh_chunk *next = fh_chunk_at(chunk, size);
    uint64_t next_content = fh_chunk_read(next);
    if (next_content & FH_CHUNK_IN_USE) {
        fh_chunk_write(next, fh_chunk_size(next_content),
                       (unsigned)next_content & FH_CHUNK_FLAGS & ~(unsigned)FH_CHUNK_PREVIOUS_IN_USE);
    } else {
        if (next_content & FH_CHUNK_TOP) {
            fh_heap_set_top(heap, chunk, size + fh_chunk_size(next_content));
            forget_cursor(heap, chunk, size + fh_chunk_size(next_content));
            if (FH_UNLIKELY(heap->span_bytes)) fh_heap_end_span(heap, FH_SPAN_IN_TOP);
            return 0;
        }
        take_free(heap, next, next_content);
        size += fh_chunk_size(next_content);
    }
    make_free(heap, chunk, size);
    if (FH_UNLIKELY(heap->span_bytes)) fh_heap_end_span(heap, FH_SPAN_FORGOTTEN);
    forget_cursor(heap, chunk, size);
    if (FH_UNLIKELY(heap->returning)) fh_heap_note_free(heap, chunk, size, freed);
    return size;
}

/*
 * Marks `needed` bytes of the free stretch [chunk, chunk + size) in use; the remainder is a free chunk again (R2), or
 * part of the block when it is too small for one. The stretch is in no bin, its successor is in use and so is its
 * predecessor. Returns the chunk's size.
 */
static size_t split(struct fh_heap *heap, struct fh_chunk *chunk, size_t size, size_t needed, unsigned flags)
{
    struct fh_chunk *next = fh_chunk_at(chunk, size);
    if (size - needed >= FH_CHUNK_LEAST) {
        make_free(heap, fh_chunk_at(chunk, needed), size - needed); /* next still sees a free predecessor */
        size = needed;
    } else {
        fh_chunk_set_previous_in_use(next, true);
    }
    fh_chunk_write(chunk, size, FH_CHUNK_IN_USE | FH_CHUNK_PREVIOUS_IN_USE | flags);
    note_used(heap, size);
    return size;
}

/* How far behind a multiple of its alignment a block of these flags starts. */
static size_t phase_of(unsigned flags) { return flags & FH_CHUNK_SLAB ? FH_SLAB_BOUNDARY_BYTES : 0; }

static struct fh_chunk *alloc_from_bins(struct fh_heap *heap, size_t needed, size_t alignment, unsigned flags)
{
    size_t phase = phase_of(flags);
    struct fh_chunk *chunk = fh_bins_find(&heap->bins, needed, alignment, phase);
    if (!chunk) return NULL;
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content);
    size_t offset = fh_chunk_aligned_offset(chunk, size, needed, alignment, phase);
    FH_ASSERT(offset != SIZE_MAX);
    take_free(heap, chunk, content);
    if (offset) {
        make_free(heap, chunk, offset);
        chunk = fh_chunk_at(chunk, offset);
        split(heap, chunk, size - offset, needed, flags);
        fh_chunk_set_previous_in_use(chunk, false);
    } else {
        split(heap, chunk, size, needed, flags);
    }
    if (FH_UNLIKELY(heap->span_bytes)) fh_heap_end_span(heap, FH_SPAN_ALLOCATED);
    return chunk;
}

/* A chunk of `needed` bytes, `offset` behind the start of top, which is larger: what lies below is a free chunk. */
FH_INLINE struct fh_chunk *take_from_top(struct fh_heap *heap, size_t offset, size_t needed, unsigned flags,
                                         bool *zeroed)
{
    struct fh_chunk *below = heap->top, *chunk = fh_chunk_at(below, offset);
    size_t size = fh_chunk_size(fh_chunk_read(below));
    /* The tag of the old top is the only word at or above `fresh` - 8 that may not be zero, and it is no payload. */
    if (zeroed) *zeroed = (char *)fh_chunk_payload(chunk) >= heap->fresh;
    fh_heap_set_top(heap, fh_chunk_at(chunk, needed), size - offset - needed); /* before anything else is touched */
    if (offset) make_free(heap, below, offset);
    fh_chunk_write(chunk, needed, FH_CHUNK_IN_USE | (offset ? 0 : FH_CHUNK_PREVIOUS_IN_USE) | flags);
    note_used(heap, needed);
    return chunk;
}

static struct fh_chunk *alloc_from_top(struct fh_heap *heap, size_t needed, size_t alignment, unsigned flags,
                                       bool *zeroed)
{
    size_t least = needed + FH_CHUNK_LEAST; /* top never vanishes */
    size_t offset = SIZE_MAX, phase = phase_of(flags);
    if (heap->top)
        offset = fh_chunk_aligned_offset(heap->top, fh_chunk_size(fh_chunk_read(heap->top)), least, alignment, phase);
    if (offset == SIZE_MAX) {
        if (!fh_heap_grow(heap, least, alignment)) return NULL;
        offset = fh_chunk_aligned_offset(heap->top, fh_chunk_size(fh_chunk_read(heap->top)), least, alignment, phase);
        FH_ASSERT(offset != SIZE_MAX);
    }
    return take_from_top(heap, offset, needed, flags, zeroed);
}

/* Takes the lock and puts what was handed over where it belongs. */
static bool enter(struct fh_heap *heap)
{
    if (!fh_lock_acquire(&heap->lock)) return false;
    if (FH_UNLIKELY(fh_load_relaxed(&heap->handed_over) != NULL)) fh_heap_drain(heap);
    return true;
}

static void leave(struct fh_heap *heap)
{
    fh_heap_end_work();
    fh_lock_release(&heap->lock);
}

void fh_heap_settle(struct fh_heap *heap)
{
    if (fh_load_relaxed(&heap->handed_over) && enter(heap)) leave(heap);
}

static struct fh_chunk *alloc_chunk(struct fh_heap *heap, size_t needed, size_t alignment, unsigned flags, bool *zeroed)
{
    if (zeroed) *zeroed = false;
    struct fh_chunk *chunk = alloc_from_bins(heap, needed, alignment, flags);
    return chunk ? chunk : alloc_from_top(heap, needed, alignment, flags, zeroed);
}

void *fh_heap_alloc(struct fh_heap *heap, size_t request_bytes, size_t alignment, bool *zeroed)
{
    if (!enter(heap)) return NULL;
    struct fh_chunk *chunk = alloc_chunk(heap, fh_chunk_size_for(request_bytes), alignment, 0, zeroed);
    leave(heap);
    if (!chunk) return NULL;
    /* An object of a slab that lay here may have left its mark, and the program need not write to the block. */
    fh_guard_unmark(fh_chunk_payload(chunk));
    return fh_chunk_payload(chunk);
}

/* From what lies below untouched memory in top. */
static struct fh_chunk *alloc_from_touched_top(struct fh_heap *heap, size_t needed, size_t alignment)
{
    if (!heap->top || heap->backed <= (char *)heap->top) return NULL;
    size_t touched = (size_t)(heap->backed - (char *)heap->top);
    if (fh_chunk_aligned_offset(heap->top, touched, needed + FH_CHUNK_LEAST, alignment, 0) == SIZE_MAX) return NULL;
    return alloc_from_top(heap, needed, alignment, 0, NULL);
}

void *fh_heap_alloc_touched(struct fh_heap *heap, size_t request_bytes, size_t alignment)
{
    if (!enter(heap)) return NULL;
    size_t needed = fh_chunk_size_for(request_bytes);
    struct fh_chunk *chunk = alloc_from_bins(heap, needed, alignment, 0);
    if (!chunk) chunk = alloc_from_touched_top(heap, needed, alignment);
    leave(heap);
    if (!chunk) return NULL;
    fh_guard_unmark(fh_chunk_payload(chunk));
    return fh_chunk_payload(chunk);
}

void *fh_heap_alloc_apart(struct fh_heap *heap, size_t request_bytes)
{
    if (!enter(heap)) return NULL;
    struct fh_chunk *chunk = alloc_from_top(heap, fh_chunk_size_for(request_bytes), FH_ALIGNMENT, 0, NULL);
    leave(heap);
    if (!chunk) return NULL;
    fh_guard_unmark(fh_chunk_payload(chunk));
    return fh_chunk_payload(chunk);
}

struct fh_chunk *fh_heap_withhold(struct fh_heap *heap, struct fh_chunk *chunk, size_t from, size_t to)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content);
    struct fh_chunk *part = fh_chunk_at(chunk, from), *rest = fh_chunk_at(chunk, to);
    take_free(heap, chunk, content);
    if (from) make_free(heap, chunk, from);
    if (to < size) make_free(heap, rest, size - to);
    else fh_chunk_set_previous_in_use(rest, true);
    if (heap->span_bytes) fh_heap_end_span(heap, FH_SPAN_FORGOTTEN);
    fh_chunk_write(part, to - from, FH_CHUNK_IN_USE | (from ? 0 : FH_CHUNK_PREVIOUS_IN_USE));
    note_used(heap, to - from);
    fh_guard_link(fh_chunk_payload(part), NULL);
    return part;
}

struct fh_chunk *fh_heap_withhold_top(struct fh_heap *heap, size_t from, size_t to)
{
    struct fh_chunk *part = take_from_top(heap, from, to - from, 0, NULL);
    fh_guard_link(fh_chunk_payload(part), NULL);
    return part;
}

void *fh_heap_alloc_slab(struct fh_heap *heap, size_t slab_bytes)
{
    if (!enter(heap)) return NULL;
    struct fh_chunk *chunk = alloc_chunk(heap, slab_bytes, slab_bytes, FH_CHUNK_SLAB, NULL);
    if (chunk) {
        fh_fetch_add_relaxed(&heap->slab_bytes, fh_chunk_size(fh_chunk_read(chunk)));
        fh_fetch_add_relaxed(&heap->slab_chunks, 1);
    }
    leave(heap);
    return chunk ? fh_slab_of_chunk(chunk) : NULL;
}

void fh_heap_drain(struct fh_heap *heap)
{
    size_t largest = 0;
    void *pointer = fh_exchange_acquire(&heap->handed_over, NULL);
    while (pointer) {
        void *next;
        if (FH_UNLIKELY(!fh_guard_follow(pointer, &next)))
            fh_fault(FH_FAULT_DAMAGED_LINK, pointer, SIZE_MAX, place_of(heap));
        struct fh_chunk *chunk = fh_chunk_of(pointer);
        fh_heap_note_work(1, 0);
        fh_fetch_sub_relaxed(&heap->handed_over_bytes, fh_chunk_size(fh_chunk_read(chunk)) - FH_CHUNK_TAG_BYTES);
        if (FH_UNLIKELY(chunk == heap->withheld)) {
            fh_heap_end_withheld(heap);
        } else {
            fh_guard_unmark(pointer);
            largest = fh_max(largest, fh_heap_release_chunk(heap, chunk));
        }
        pointer = next;
    }
    fh_heap_maybe_trim(heap, largest);
}

enum fh_locate fh_heap_locate(struct fh_heap *heap, const void *pointer, const void **block, size_t *size_bytes)
{
    bool locked = fh_lock_acquire(&heap->lock);
    enum fh_locate found = FH_LOCATE_NOWHERE;
    struct fh_segment *segment = heap->segments;
    while (segment && !fh_segment_holds(segment, pointer)) segment = segment->next;
    struct fh_chunk *end = segment ? fh_segment_end(segment) : NULL;
    for (struct fh_chunk *chunk = segment ? fh_segment_first(segment) : NULL; chunk && chunk < end;) {
        uint64_t tag = fh_chunk_raw_tag(chunk) & FH_TAG_CONTENT;
        size_t size = fh_chunk_size(tag);
        bool sound = fh_chunk_is_sound(chunk) && size >= FH_CHUNK_LEAST;
        bool within = (uintptr_t)pointer - (uintptr_t)chunk < (sound ? size : FH_CHUNK_LEAST);
        if (within) {
            *block = fh_chunk_payload(chunk);
            *size_bytes = sound ? size - FH_CHUNK_TAG_BYTES : SIZE_MAX;
            found = pointer == *block ? FH_LOCATE_START : tag & FH_CHUNK_IN_USE ? FH_LOCATE_INSIDE : FH_LOCATE_FREE;
        }
        if (within || !sound) break;
        chunk = fh_chunk_at(chunk, size);
    }
    if (locked) fh_lock_release(&heap->lock);
    return found;
}

void fh_heap_hand_over(struct fh_heap *heap, void *pointer)
{
    size_t size = fh_chunk_size(fh_chunk_read(fh_chunk_of(pointer)));
    fh_fetch_add_relaxed(&heap->handed_over_bytes, size - FH_CHUNK_TAG_BYTES);
    void *head = fh_load_relaxed(&heap->handed_over);
    do fh_guard_link(pointer, head);
    while (!fh_cas_release(&heap->handed_over, &head, pointer));
}

/* The lock if it is free; waits for it only when too much has piled up behind it. */
static bool enter_to_free(struct fh_heap *heap)
{
    if (fh_lock_try(&heap->lock)) {
        if (FH_UNLIKELY(fh_load_relaxed(&heap->handed_over) != NULL)) fh_heap_drain(heap);
        return true;
    }
    return fh_load_relaxed(&heap->handed_over_bytes) > HANDED_OVER_LIMIT && enter(heap);
}

void fh_heap_free(struct fh_heap *heap, void *pointer)
{
    if (!enter_to_free(heap)) {
        fh_heap_hand_over(heap, pointer);
        return;
    }
    fh_heap_maybe_trim(heap, fh_heap_release_chunk(heap, fh_chunk_of(pointer)));
    leave(heap);
}

void fh_heap_free_slab(struct fh_heap *heap, void *slab)
{
    struct fh_chunk *chunk = fh_chunk_of_slab(slab);
    size_t size = fh_chunk_size(fh_chunk_read(chunk));
    fh_fetch_sub_relaxed(&heap->slab_bytes, size);
    fh_fetch_sub_relaxed(&heap->slab_chunks, 1);
    fh_heap_free(heap, fh_chunk_payload(chunk));
}

bool fh_heap_hold(struct fh_heap *heap) { return fh_lock_try(&heap->lock); }

void fh_heap_let_go(struct fh_heap *heap) { leave(heap); }

/* A stretch of a slab's chunk becomes a chunk in use of its own. */
static struct fh_chunk *tile(struct fh_chunk *whole, size_t from, size_t to, bool previous_in_use, bool is_slab)
{
    struct fh_chunk *chunk = fh_chunk_at(whole, from);
    unsigned flags = FH_CHUNK_IN_USE | (previous_in_use ? FH_CHUNK_PREVIOUS_IN_USE : 0);
    fh_chunk_write(chunk, to - from, flags | (is_slab ? FH_CHUNK_SLAB : 0));
    return chunk;
}

void fh_heap_cut_slab(struct fh_heap *heap, void *slab, const struct fh_heap_part *parts, size_t count,
                      uint32_t frees)
{
    struct fh_chunk *whole = fh_chunk_of_slab(slab);
    uint64_t content = fh_chunk_read(whole);
    size_t size = fh_chunk_size(content), at = 0, kept = 0, gaps = 0, largest = 0;
    bool previous = content & FH_CHUNK_PREVIOUS_IN_USE;
    struct fh_chunk *gap[FH_HEAP_PARTS_MOST + 1];
    for (size_t i = 0; i <= count; i++) {
        size_t offset = i < count ? parts[i].offset : size;
        if (at < offset) {
            /* The page map forgets the slab before the pages can be anybody's. A page whose end alone is free stays. */
            char *from = (char *)fh_align_up((uintptr_t)slab + at, FH_PAGEMAP_GRAIN);
            if (from < (char *)slab + offset)
                fh_pagemap_set(from, (size_t)((char *)slab + offset - from), fh_entry_of_heap(heap->id));
            gap[gaps++] = tile(whole, at, offset, previous, false);
            previous = true; /* as long as it is not freed below */
        }
        if (i == count) break;
        at = offset + parts[i].bytes;
        if (size - at < FH_CHUNK_LEAST) at = size; /* a slab may come from a hole that was 16 bytes larger */
        tile(whole, offset, at, previous, true);
        previous = true;
        kept += at - offset;
    }
    fh_count_add(&heap->used_chunks, count + gaps - 1);
    fh_fetch_add_relaxed(&heap->slab_chunks, count - 1);
    fh_fetch_sub_relaxed(&heap->slab_bytes, size - kept);
    if (FH_UNLIKELY(heap->returning)) fh_heap_earn(heap, frees);
    for (size_t i = 0; i < gaps; i++) largest = fh_max(largest, fh_heap_release_chunk(heap, gap[i]));
    fh_heap_maybe_trim(heap, largest);
}

/* Shrunk where it stands it would be a small block in what was a large hole, and the rest a hole for smaller ones only:
 * a program that gets buffers and keeps the filled part would hardly find one again. Better a copy of what is little.
 */
static bool spoils_a_hole(size_t size, size_t needed)
{
    return needed <= COPIED_RATHER && needed <= size / 2 && size > FH_SMALL_MOST;
}

bool fh_heap_resize(struct fh_heap *heap, void *pointer, size_t request_bytes, size_t wanted_bytes)
{
    if (!enter(heap)) return false;
    struct fh_chunk *chunk = fh_chunk_of(pointer);
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content), needed = fh_chunk_size_for(request_bytes);
    struct fh_chunk *next = fh_chunk_at(chunk, size);
    uint64_t next_content = fh_chunk_read(next);
    size_t next_size = fh_chunk_size(next_content);
    bool next_free = !(next_content & FH_CHUNK_IN_USE), next_top = next_free && (next_content & FH_CHUNK_TOP);
    unsigned flags = content & FH_CHUNK_FLAGS;
    bool done = true;

    if (needed > size && next_free)
        needed =
            fh_max(needed, fh_min(fh_chunk_size_for(wanted_bytes), size + next_size - (next_top ? FH_CHUNK_LEAST : 0)));
    if (spoils_a_hole(size, needed)) {
        done = false;
    } else if (next_top) {
        size_t least = needed + FH_CHUNK_LEAST;
        if (least > size + next_size && needed > size && fh_heap_grow(heap, least - size, FH_ALIGNMENT)) {
            if (heap->top == next) next_size = fh_chunk_size(fh_chunk_read(next)); /* else it grew elsewhere */
        }
        done = heap->top == next && least <= size + next_size;
        if (done) {
            fh_heap_set_top(heap, fh_chunk_at(chunk, needed), size + next_size - needed);
            forget_cursor(heap, chunk, size + next_size);
            fh_chunk_write(chunk, needed, flags);
            fh_count_add(&heap->used_bytes, needed - size); /* wraps below zero where it shrinks: a difference */
        }
    } else if (needed > size) {
        done = next_free && needed <= size + next_size;
        if (done) {
            take_free(heap, next, next_content);
            note_unused(heap, size);
            split(heap, chunk, size + next_size, needed, 0);
            forget_cursor(heap, chunk, needed);
            if (FH_UNLIKELY(heap->span_bytes)) fh_heap_end_span(heap, FH_SPAN_ALLOCATED);
        }
    } else if (size - needed >= FH_CHUNK_LEAST || (next_free && size > needed)) {
        if (next_free) take_free(heap, next, next_content);
        else fh_chunk_set_previous_in_use(next, false);
        note_unused(heap, size);
        split(heap, chunk, next_free ? size + next_size : size, needed, 0);
        if (FH_UNLIKELY(heap->span_bytes)) fh_heap_end_span(heap, FH_SPAN_FORGOTTEN);
        forget_cursor(heap, chunk, size + (next_free ? next_size : 0));
    }
    if (done && needed < size) fh_heap_maybe_trim(heap, 0);
    if (done && !next_top && !(flags & FH_CHUNK_PREVIOUS_IN_USE)) fh_chunk_set_previous_in_use(chunk, false);
    leave(heap);
    return done;
}
