/*
 * heap.h - one heap: chunks between a few segments of address space, free lists, and a top that grows and shrinks.
 *
 * Layer: heap. Heap 0 grows by brk, the others by mappings. All fields are guarded by `lock`, except those marked
 * otherwise. A heap tiles its segments with chunks without gap or overlap (invariant H1):
 *
 *     segment:  | struct fh_segment | chunk | chunk | ... | top or last chunk | 8 bytes: the fence |
 *
 * Conservation: total = segment records and fences + chunks in use + free chunks + top.
 */
#ifndef FH_HEAP_H
#define FH_HEAP_H

#include "bins.h"
#include "lock.h"

/* A contiguous stretch of address space from the kernel; this record is its first bytes. */
struct fh_segment {
    struct fh_segment *next; /* in address order; NULL at the end */
    size_t size;             /* of the whole, this record included, in bytes */
    size_t is_break;         /* 1: from the break; 0: a mapping, which can be unmapped when all of it is free */
    uint64_t unused;         /* keeps the first chunk at 8 modulo 16 */
};
enum { FH_SEGMENT_HEAD_BYTES = sizeof(struct fh_segment) + 8, FH_SEGMENT_TAIL_BYTES = 8 };
FH_STATIC_ASSERT(FH_SEGMENT_HEAD_BYTES % 16 == 8, "chunks stand at 8 modulo 16");

struct fh_heap {
    struct fh_lock lock;
    uint32_t id; /* 0 grows by brk */
    struct fh_segment *segments;
    struct fh_segment *growing; /* the segment that ends in top */
    struct fh_chunk *top;       /* NULL before the first growth */
    char *fresh;                /* memory from here to the end of `growing` was never touched, and is zero */
    char *mapped;               /* the page map names the pages of `growing` up to here */
    size_t trim_at_bytes;       /* touched bytes of top above which it is trimmed; 0: the option's value */
    size_t trimmed_bytes;       /* released by the last trim, until as much has been touched again */
    size_t grow_most;           /* what growth may ask for beyond the need; less after refusals; 0: not set yet */
    uint32_t unwanted_trims;    /* atomic: trims whose yield nobody had asked for until the next trim */
    char *trimmed_to;           /* where it left `fresh` */
    void *handed_over;          /* atomic: blocks freed by threads that did not take the lock (guard.h links) */
    size_t handed_over_bytes;   /* atomic: their usable bytes */
    size_t total_bytes;         /* of all segments; readable without the lock, as are the following */
    size_t free_bytes;          /* in bins */
    size_t used_bytes;          /* chunks in use, tags included; slabs too */
    size_t used_chunks;
    size_t slab_bytes; /* of used_bytes: slabs */
    size_t slab_chunks;
    struct fh_bins bins;
};

void fh_heap_init(struct fh_heap *heap, uint32_t id);

/*
 * A block of at least `request_bytes` (at most FH_CHUNK_MOST) on a multiple of `alignment` (a power of two, >= 16), or
 * NULL: the kernel refuses memory, or the lock can't be had now (a fork is being prepared). *zeroed tells that all
 * usable bytes are zero; may be NULL.
 */
void *fh_heap_alloc(struct fh_heap *heap, size_t request_bytes, size_t alignment, bool *zeroed);
/* The same for a slab: its base on a multiple of slab_bytes. The first FH_SLAB_BOUNDARY_BYTES from there stay the
 * heap's; the chunk is flagged as a slab. */
void *fh_heap_alloc_slab(struct fh_heap *heap, size_t slab_bytes);

/* Takes back a block or a slab. Without the lock if need be: then it is handed over to whoever has it next. */
void fh_heap_free(struct fh_heap *heap, void *pointer);
void fh_heap_free_slab(struct fh_heap *heap, void *slab);

/* Makes the block at least `request_bytes` large where it stands, or shrinks it; false when it can't be done. */
bool fh_heap_resize(struct fh_heap *heap, void *pointer, size_t request_bytes);

/* Gives back what the top can spare beyond `keep_bytes`, and the whole pages within free chunks, as glibc's malloc_trim
 * does; true if anything went. Holds the lock for a time in proportion to the free chunks. */
bool fh_heap_trim(struct fh_heap *heap, size_t keep_bytes);

/* For messages: what lies at an address that no sound block starts at. Walks the segment; may be called with or without
 * the lock held by others. *block and *size_bytes are set unless the answer is NOWHERE. */
enum fh_locate {
    FH_LOCATE_NOWHERE, /* not in this heap, or behind damage that hides it */
    FH_LOCATE_START,   /* a chunk starts here */
    FH_LOCATE_INSIDE,  /* within a block in use */
    FH_LOCATE_FREE     /* within a free chunk */
};
enum fh_locate fh_heap_locate(struct fh_heap *heap, const void *pointer, const void **block, size_t *size_bytes);

/* --- within the heap layer, and for the validators in insight --- */

/* Lets the top grow to at least `needed` chunk bytes from an aligned start; lock held. */
bool fh_heap_grow(struct fh_heap *heap, size_t needed, size_t alignment);
/* After frees, the largest of which made a free chunk of `chunk_bytes` (0 when it joined top): trims the top if it is
 * too large now, unmaps a segment that is all free. Lock held. */
void fh_heap_maybe_trim(struct fh_heap *heap, size_t chunk_bytes);
bool fh_heap_trim_top(struct fh_heap *heap, size_t keep_bytes);
/* Top begins anew at `start`, `size` bytes, previous chunk in use; notes what has been touched. Lock held. */
void fh_heap_set_top(struct fh_heap *heap, struct fh_chunk *start, size_t size);
/* Frees a chunk that is marked in use, coalescing: the size of the free chunk that it is part of now, 0 when that is
 * top. Lock held. */
size_t fh_heap_release_chunk(struct fh_heap *heap, struct fh_chunk *chunk);
/* Frees what others have handed over; lock held. */
void fh_heap_drain(struct fh_heap *heap);
/* The same, taking the lock; nothing happens when it is not to be had now. */
void fh_heap_settle(struct fh_heap *heap);

FH_INLINE struct fh_chunk *fh_segment_first(struct fh_segment *segment)
{
    return (struct fh_chunk *)(void *)((char *)segment + FH_SEGMENT_HEAD_BYTES);
}
/* Where the chunks of a segment end: a fence stands here, unless the chunk before it is top. */
FH_INLINE struct fh_chunk *fh_segment_end(struct fh_segment *segment)
{
    return (struct fh_chunk *)(void *)((char *)segment + segment->size - FH_SEGMENT_TAIL_BYTES);
}
FH_INLINE bool fh_segment_holds(const struct fh_segment *segment, const void *address)
{
    return (uintptr_t)address - (uintptr_t)segment < segment->size;
}

#endif
