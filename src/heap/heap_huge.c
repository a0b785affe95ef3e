/*
 * heap_huge.c - growth by huge pages (madvise(2), MADV_HUGEPAGE).
 *
 * Layer: heap. Everything here runs with the heap's lock held.
 *
 * A page fault costs more than everything that malloc does for the page's blocks. One huge page takes the place of
 * 512 faults, and where it is wrong it holds 2 MiB that nobody uses: so a heap gets them only at its top, as growth
 * comes to it, and once it holds several times as much. The advice is for the whole stretch that growth has ahead, so
 * that system calls grow with the logarithm of the heap (R6). It is taken back before a part of a huge page goes back
 * to the kernel, or khugepaged would fill it again, and given once more when what went is wanted again.
 */
#include "heap.h"
#include "options.h"
#include "os.h"

enum { HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 }; /* of x86-64, and of aarch64 with this page size */

/* Bytes of the heap that are in memory, about: from so many on the window is a small part of them. */
static bool is_large_enough(const struct fh_heap *heap)
{
    size_t in_memory = heap->used_bytes + heap->free_bytes - heap->purged_bytes;
    return in_memory >= fh_load_relaxed(&fh_options.huge_pages) && fh_os_page_size() == SMALL_PAGE;
}

size_t fh_heap_spare_of_huge(const struct fh_heap *heap)
{
    return heap->huge_to && is_large_enough(heap) ? HUGE_PAGE : 0;
}

size_t fh_heap_wish_for_huge(const struct fh_heap *heap, size_t wish, size_t room)
{
    if (!heap->growing || wish < HUGE_PAGE) return wish;
    uintptr_t end = (uintptr_t)heap->growing + heap->growing->size;
    size_t whole = fh_align_up(end + wish, HUGE_PAGE) - end;
    return whole <= room ? whole : wish;
}

void fh_heap_end_huge(struct fh_heap *heap)
{
    if (!heap->huge_to) return;
    fh_os_advise_huge(heap->huge_from, (size_t)(heap->huge_to - heap->huge_from), false);
    if (!heap->huge_first) heap->huge_first = heap->huge_from;
    heap->huge_from = heap->huge_to = NULL;
    heap->huge_next = (char *)fh_align_up((uintptr_t)heap->fresh, HUGE_PAGE);
}

void fh_heap_resume_huge(struct fh_heap *heap)
{
    char *from = heap->huge_first;
    if (!from) return;
    size_t most = fh_align_down((uintptr_t)heap->growing + heap->growing->size, HUGE_PAGE);
    char *end = heap->huge_to ? heap->huge_from : (char *)fh_min(fh_align_up((uintptr_t)heap->fresh, HUGE_PAGE), most);
    if (from >= end || !fh_os_advise_huge(from, (size_t)(end - from), true)) return;
    heap->huge_first = NULL;
    heap->huge_from = from;
    if (!heap->huge_to) heap->huge_to = end;
}

struct fh_span fh_heap_huge_within(const struct fh_heap *heap, struct fh_span span)
{
    if (!heap->has_huge) return (struct fh_span){0, 0};
    return (struct fh_span){fh_align_up(span.from, HUGE_PAGE), fh_align_down(span.to, HUGE_PAGE)};
}

void fh_heap_cut_huge(struct fh_heap *heap, char *to)
{
    if (heap->huge_first >= to) heap->huge_first = NULL;
    if (heap->huge_to <= to) return;
    heap->huge_to = (char *)fh_align_down((uintptr_t)to, HUGE_PAGE);
    if (heap->huge_to <= heap->huge_from) heap->huge_from = heap->huge_to = NULL;
}

void fh_heap_begin_huge(struct fh_heap *heap, char *touched)
{
    if (touched <= heap->huge_to) return; /* the first one of the stretch: fh_heap_note_huge */
    char *from = (char *)fh_align_up((uintptr_t)heap->fresh, HUGE_PAGE);
    char *end = (char *)fh_align_down((uintptr_t)heap->growing + heap->growing->size, HUGE_PAGE);
    heap->huge_next = (char *)fh_align_up((uintptr_t)touched, HUGE_PAGE);
    if (from >= end || !is_large_enough(heap)) return;
    if (from > heap->huge_to) fh_heap_end_huge(heap);
    if (!fh_os_advise_huge(from, (size_t)(end - from), true)) return;
    if (!heap->huge_to) heap->huge_from = from;
    heap->huge_to = end;
    heap->huge_next = from;
}

void fh_heap_note_huge(struct fh_heap *heap)
{
    char *end = (char *)fh_align_up((uintptr_t)heap->fresh, HUGE_PAGE);
    if (heap->fresh > heap->huge_next && end <= heap->huge_to && end - SMALL_PAGE >= heap->fresh) {
        heap->has_huge = fh_os_is_resident(end - SMALL_PAGE);
        heap->huge_next = heap->huge_to;
    }
}

char *fh_heap_reach_of_huge(const struct fh_heap *heap)
{
    bool huge = heap->has_huge && heap->fresh > heap->huge_from && heap->fresh <= heap->huge_to;
    return huge ? (char *)fh_align_up((uintptr_t)heap->fresh, HUGE_PAGE) : heap->fresh;
}
