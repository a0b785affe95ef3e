/*
 * heap_grow.c - where a heap meets the kernel: growth by brk or mapping (W1, W2), the top, trimming (W4).
 *
 * Layer: heap. Everything here runs with the heap's lock held.
 */
#include "heap.h"
#include "limit.h"
#include "options.h"
#include "os.h"
#include "pagemap.h"
#include "wholesale.h"

enum {
    GROW_AT_LEAST = 1 << 20,  /* bytes of address space; untouched ones cost nothing */
    GROW_AT_MOST = 256 << 20, /* beyond the request */
    PAGEMAP_STEP = 64 << 10,  /* the page map is told of new pages in steps of this */
    TRIM_AT_MOST = 8 << 20    /* how far thrashing may raise the trim threshold: what a heap may keep at its top */
};

/*
 * What a trim gave back is touched again: it was wanted after all, and giving back and faulting in costs much more than
 * leaving alone. So trim later. The opposite lesson is in fh_heap_maybe_trim.
 */
static void learn_from_growth(struct fh_heap *heap)
{
    if (heap->fresh < heap->trimmed_to || (size_t)(heap->fresh - heap->trimmed_to) < heap->trimmed_bytes / 2) return;
    size_t now = fh_max(heap->trim_at_bytes, fh_load_relaxed(&fh_options.trim_threshold));
    heap->trim_at_bytes = fh_max(now, fh_min(fh_max(2 * now, 2 * heap->trimmed_bytes), TRIM_AT_MOST));
    if (now >= TRIM_AT_MOST) fh_gate_regret(&heap->top_gate, heap->trimmed_bytes);
    heap->trimmed_bytes = 0;
}

void fh_heap_set_top(struct fh_heap *heap, struct fh_chunk *start, size_t size)
{
    char *touched = (char *)start + FH_CHUNK_TAG_BYTES;
    bool grows = touched > heap->fresh, at_window = grows && touched > heap->huge_next;
    if (FH_UNLIKELY(at_window)) fh_heap_begin_huge(heap, touched);
    heap->top = start;
    fh_chunk_write(start, size, FH_CHUNK_TOP | FH_CHUNK_PREVIOUS_IN_USE);
    if (FH_UNLIKELY(heap->top_span_bytes)) fh_heap_cut_top_span(heap, (uintptr_t)touched, UINTPTR_MAX);
    if (!grows) return;
    heap->fresh = touched;
    if (FH_UNLIKELY(at_window) && heap->huge_to) fh_heap_note_huge(heap);
    if (touched > heap->backed) heap->backed = FH_LIKELY(!heap->huge_to) ? touched : fh_heap_reach_of_huge(heap);
    if (FH_UNLIKELY(heap->trimmed_bytes != 0)) learn_from_growth(heap);
    if (touched <= heap->mapped) return;
    char *end = (char *)heap->growing + heap->growing->size;
    char *upto = (char *)fh_align_up((uintptr_t)touched, PAGEMAP_STEP);
    if (upto > end) upto = end;
    fh_pagemap_set(heap->mapped, (size_t)(upto - heap->mapped), fh_entry_of_heap(heap->id));
    heap->mapped = upto;
}

/* Closes the growing segment: its top becomes an ordinary free chunk before a fence. */
static void retire_top(struct fh_heap *heap)
{
    if (!heap->top) return;
    struct fh_chunk *top = heap->top, *end = fh_segment_end(heap->growing);
    size_t size = fh_chunk_size(fh_chunk_read(top));
    char *segment_end = (char *)heap->growing + heap->growing->size;
    if (heap->mapped < segment_end) { /* all of it may be handed out from now on */
        fh_pagemap_set(heap->mapped, (size_t)(segment_end - heap->mapped), fh_entry_of_heap(heap->id));
        heap->mapped = segment_end;
    }
    heap->top = NULL;
    heap->top_span_bytes = 0; /* forgotten: of a chunk in a bin they would have to be one stretch */
    fh_chunk_write(end, 0, FH_CHUNK_IN_USE | FH_CHUNK_FENCE);
    /* Freed like any chunk: that writes tag and footer, and puts it into its bin. */
    fh_chunk_write(top, size, FH_CHUNK_IN_USE | FH_CHUNK_PREVIOUS_IN_USE);
    fh_count_add(&heap->used_bytes, size);
    fh_count_add(&heap->used_chunks, 1);
    fh_heap_release_chunk(heap, top);
}

/* Makes [start, start + size) a segment with nothing in it but top. */
static void open_segment(struct fh_heap *heap, char *start, size_t size, bool is_break)
{
    retire_top(heap);
    struct fh_segment *segment = (struct fh_segment *)(void *)start;
    segment->size = size;
    segment->is_break = is_break;
    struct fh_segment **link = &heap->segments;
    while (*link && *link < segment) link = &(*link)->next;
    segment->next = *link;
    *link = segment;
    heap->growing = segment;
    fh_heap_end_huge(heap);
    heap->huge_first = NULL;
    heap->fresh = heap->backed = heap->huge_next = heap->mapped = start;
    struct fh_chunk *first = fh_segment_first(segment);
    fh_heap_set_top(heap, first, (size_t)((char *)fh_segment_end(segment) - (char *)first));
    fh_count_add(&heap->total_bytes, size);
}

/* The end of the growing segment has moved up by `size`, and nothing else changed. */
static void extend_segment(struct fh_heap *heap, size_t size)
{
    heap->growing->size += size;
    fh_heap_set_top(heap, heap->top, fh_chunk_size(fh_chunk_read(heap->top)) + size);
    fh_count_add(&heap->total_bytes, size);
}

/* W1: address space from the break, at its old end if nobody else moved it. */
static bool grow_by_break(struct fh_heap *heap, size_t size)
{
    char *end = heap->growing ? (char *)heap->growing + heap->growing->size : NULL;
    char *start = fh_wholesale_break_up(end, size);
    if (!start) return false;
    if (!fh_pagemap_prepare(start, size)) {
        fh_wholesale_break_discard(start + size, start);
        return false;
    }
    if (start == end) extend_segment(heap, size);
    else open_segment(heap, start, size, true);
    return true;
}

/* W2: the same from a mapping, which is a segment of its own. */
static bool grow_by_mapping(struct fh_heap *heap, size_t size)
{
    char *start = fh_wholesale_map(size);
    if (!start) return false;
    if (!fh_pagemap_prepare(start, size)) {
        fh_wholesale_discard(start, size);
        return false;
    }
    open_segment(heap, start, size, false);
    return true;
}

bool fh_heap_grow(struct fh_heap *heap, size_t needed, size_t alignment)
{
    size_t page = fh_max(fh_os_page_size(), 4096);
    /* Room for the segment's own record and an unlucky alignment, should it not continue the old one. */
    size_t least =
        needed + FH_SEGMENT_HEAD_BYTES + FH_SEGMENT_TAIL_BYTES + (alignment > FH_ALIGNMENT ? 2 * alignment : 0);
    size_t pad = fh_load_relaxed(&fh_options.top_pad);
    if (!fh_checked_align_up(least + pad, page, &least)) return false;

    /* Twice what the heap has already, four times where each growth is two system calls, so that these grow with the
     * logarithm of the heap (R6); less once the kernel has refused as much, as it does under RLIMIT_DATA, RLIMIT_AS and
     * overcommit_memory = 2. */
    if (!heap->grow_most) heap->grow_most = GROW_AT_MOST;
    size_t times = heap->huge_to ? 4 : 2, room = fh_limit_room();
    size_t reserve = fh_min(fh_max(times * heap->total_bytes, GROW_AT_LEAST), heap->grow_most);
    /* A reserve that passes a limit would be given back at once, and bought again for the next slab. */
    reserve = fh_min(reserve, fh_align_down(room > least ? room - least : 0, page));
    size_t wish = fh_align_up(least + reserve, page);
    if (reserve >= GROW_AT_LEAST) wish = fh_heap_wish_for_huge(heap, wish, room);
    for (;;) {
        if ((heap->id == 0 && grow_by_break(heap, wish)) || grow_by_mapping(heap, wish)) {
            heap->grow_most = fh_min(2 * heap->grow_most, GROW_AT_MOST);
            return true;
        }
        if (wish <= least) return false;
        heap->grow_most = fh_max(wish / 4, page);
        wish = fh_align_up(fh_max(wish / 4, least), page);
    }
}

/* Memory from `to` on is untouched again. */
static void note_trim(struct fh_heap *heap, char *to)
{
    if (heap->backed > to) heap->backed = to;
    if (heap->huge_to > to) fh_heap_end_huge(heap);
    heap->huge_next = to;
    if (heap->top_span_bytes) fh_heap_cut_top_span(heap, 0, (uintptr_t)to);
    if (heap->fresh <= to) return;
    /* Trims with no growth between them are one: a heap that is torn down goes in many steps. */
    bool goes_on = heap->trimmed_bytes && heap->fresh <= heap->trimmed_to;
    heap->trimmed_bytes = (goes_on ? heap->trimmed_bytes : 0) + (size_t)(heap->fresh - to);
    heap->trimmed_to = heap->fresh = to;
}

/* W4. The page map forgets the pages before they go: the kernel may give them to somebody else at once. */
static bool give_back_break(struct fh_heap *heap, char *end, char *to)
{
    size_t named = heap->mapped > to ? (size_t)(heap->mapped - to) : 0;
    if (named) fh_pagemap_set(to, named, 0);
    if (!fh_wholesale_break_down(end, to)) {
        if (named) fh_pagemap_set(to, named, fh_entry_of_heap(heap->id));
        return false;
    }
    size_t released = (size_t)(end - to);
    heap->mapped -= named;
    fh_heap_cut_huge(heap, to);
    note_trim(heap, to);
    heap->growing->size -= released;
    fh_count_sub(&heap->total_bytes, released);
    fh_chunk_write(heap->top, fh_chunk_size(fh_chunk_read(heap->top)) - released,
                   FH_CHUNK_TOP | FH_CHUNK_PREVIOUS_IN_USE);
    return true;
}

bool fh_heap_trim_top(struct fh_heap *heap, size_t keep_bytes)
{
    if (!heap->top) return false;
    size_t page = fh_max(fh_os_page_size(), 4096);
    char *keep_from = (char *)heap->top + FH_CHUNK_LEAST + FH_SEGMENT_TAIL_BYTES, *to;
    if (__builtin_add_overflow((uintptr_t)keep_from, keep_bytes, (uintptr_t *)&to)) return false;
    if (!fh_checked_align_up((uintptr_t)to, page, (size_t *)&to)) return false;
    char *end = (char *)heap->growing + heap->growing->size;
    if (to >= end) return false;

    if (heap->id == 0 && fh_os_break() == end && give_back_break(heap, end, to)) return true;
    if (to >= heap->backed) return false;
    /* A mapping keeps its addresses and gives back its pages. */
    char *dirty_end = (char *)fh_align_up((uintptr_t)heap->backed, page);
    fh_heap_end_huge(heap);
    if (!fh_os_discard(to, (size_t)(dirty_end - to))) return false;
    note_trim(heap, to);
    return true;
}

/* A mapping that holds nothing any more goes back whole; the growing one is top's and stays. */
static void unmap_empty_segments(struct fh_heap *heap)
{
    struct fh_segment **link = &heap->segments;
    while (*link) {
        struct fh_segment *segment = *link;
        struct fh_chunk *first = fh_segment_first(segment);
        uint64_t content = fh_chunk_read(first);
        size_t size = fh_chunk_size(content), whole = segment->size;
        bool empty = !(content & FH_CHUNK_IN_USE) && fh_chunk_at(first, size) == fh_segment_end(segment);
        if (!empty || segment == heap->growing || segment->is_break) {
            link = &segment->next;
            continue;
        }
        struct fh_segment *next = segment->next;
        size_t purged = fh_span_bytes(fh_chunk_span(first, content));
        heap->cursor = NULL;
        fh_bins_remove(&heap->bins, first, size);
        fh_pagemap_set(segment, whole, 0);
        if (!fh_wholesale_unmap(segment, whole)) { /* refused: it is ours as before */
            fh_pagemap_set(segment, whole, fh_entry_of_heap(heap->id));
            fh_bins_insert(&heap->bins, first, size);
            return;
        }
        fh_count_sub(&heap->free_bytes, size);
        heap->page_bytes -= fh_chunk_pages_at_most(size);
        fh_count_sub(&heap->purged_bytes, purged);
        fh_count_sub(&heap->total_bytes, whole);
        *link = next;
    }
}

void fh_heap_maybe_trim(struct fh_heap *heap, size_t chunk_bytes)
{
    fh_heap_maybe_return(heap);
    if (FH_UNLIKELY(chunk_bytes >= GROW_AT_LEAST / 2)) unmap_empty_segments(heap); /* few are smaller */
    if (!heap->top) return;
    size_t at = fh_max(heap->trim_at_bytes, fh_load_relaxed(&fh_options.trim_threshold));
    if (FH_UNLIKELY(heap->huge_to != NULL) && !heap->returning) at = fh_max(at, fh_heap_spare_of_huge(heap));
    /* A heap that gives back does not wait for the rest of its last huge page to be used. */
    char *top = (char *)heap->top, *end = FH_UNLIKELY(heap->returning) ? heap->backed : heap->fresh;
    if (end <= top || (size_t)(end - top) <= at) return;
    /* It has learned all that it may, and still its trims are regretted: not before the gate opens. */
    if (FH_UNLIKELY(heap->trim_at_bytes >= TRIM_AT_MOST) && fh_load_relaxed(&fh_options.give_back) &&
        !fh_gate_is_open(&heap->top_gate))
        return;
    /* Of what the last trim gave back, something was touched again, but less than half: it was not wanted. One step
     * back towards the option's value. */
    if (heap->trimmed_bytes && heap->fresh > heap->trimmed_to) {
        heap->trim_at_bytes /= 2;
        heap->trimmed_bytes = 0;
        fh_count_add(&heap->unwanted_trims, 1);
    }
    fh_heap_trim_top(heap, fh_load_relaxed(&fh_options.top_pad));
}
