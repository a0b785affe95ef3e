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
#include "gate.h"
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
    char *backed;               /* as `fresh`, or the end of the huge page that `fresh` is in: in memory up to here */
    char *huge_from, *huge_to;  /* where the kernel may use huge pages now; NULL: nowhere */
    char *huge_first;           /* and from where on it could before that was taken back; NULL: it was not */
    char *huge_next;            /* growth beyond is a reason to see whether it should, or does */
    bool has_huge;              /* it does */
    char *mapped;               /* the page map names the pages of `growing` up to here */
    size_t trim_at_bytes;       /* touched bytes of top above which it is trimmed; 0: the option's value */
    size_t trimmed_bytes;       /* released by the last trim, until as much has been touched again */
    size_t grow_most;           /* what growth may ask for beyond the need; less after refusals; 0: not set yet */
    uint32_t unwanted_trims;    /* atomic: trims whose yield nobody had asked for until the next trim */
    char *trimmed_to;           /* where it left `fresh` */
    void *handed_over;          /* atomic: blocks freed by threads that did not take the lock (guard.h links) */
    size_t handed_over_bytes;   /* atomic: their usable bytes */
    size_t lent_bytes;          /* atomic: what stores of threads may keep beyond the option's bytes (core/store.c) */
    size_t total_bytes;         /* of all segments; readable without the lock, as are the following */
    size_t free_bytes;          /* in bins */
    size_t used_bytes;          /* chunks in use, tags included; slabs too */
    size_t used_chunks;
    size_t slab_bytes; /* of used_bytes: slabs */
    size_t slab_chunks;
    size_t page_bytes;        /* of free_bytes: the whole pages within free chunks, at most, */
    size_t purged_bytes;      /* and of these: pages that went back to the kernel and were not touched since */
    size_t given_back_bytes;  /* pages of free chunks that ever went back; only rises */
    size_t taken_again_bytes; /* of these: allocated again */

    /* Giving back what is free between blocks: heap_purge.c. */
    struct fh_gate gate;
    struct fh_gate top_gate;   /* closes when trims are regretted though the threshold has risen as far as it may */
    bool returning;            /* most of the heap is free: pages go back as they become free */
    uint32_t return_epoch;     /* atomic: rises when it starts, and with every so many bytes that went */
    size_t return_at_bytes;    /* free pages, not purged, from which on it is worth a look; 0: not set yet */
    size_t regretted_bytes;    /* purged and allocated again, not told to the gate yet */
    size_t left_bytes;         /* free pages that the last sweep has left */
    size_t since_epoch;        /* bytes purged since return_epoch rose */
    struct fh_span span;       /* purged pages of the free chunks that the operation at hand took out of their bins */
    size_t span_bytes;         /* of all of them; those that no free chunk has inherited */
    struct fh_chunk *withheld; /* atomic: of free memory, while its pages go without the lock; looks in use */
    size_t withheld_bytes;     /* of used_bytes: that chunk, which counts as cached; 0: none */
    struct fh_span withheld_span; /* those that have gone; written without the lock, by who withholds */
    uintptr_t withheld_by;        /* atomic: fh_os_self() of the thread that does so, or FH_WITHHELD_BY_NOBODY */
    uint32_t withheld_times;      /* atomic: how often that has begun */
    size_t idle_used_bytes;       /* used_bytes at the first of the last looks for idleness (core/idle.c), */
    uint32_t idle_looks;          /* and how many there were since with no more in use */
    struct fh_span top_span;      /* purged pages in touched top are between these, */
    size_t top_span_bytes;        /* and are so many bytes, about */
    uint32_t hole_credit;         /* what frees have paid for giving back small holes, */
    uint32_t hole_price;          /* and what the next one costs */
    unsigned sweep_bin;           /* bins below it are to be swept; 0: no sweep is going on */
    bool sweep_huge;              /* for whole huge pages only */
    bool splits;                  /* sweeps for any have begun */
    struct fh_chunk *cursor;      /* how far a trim has come (heap_trim.c), or one that could not end; NULL: none */
    struct fh_bins bins;
};

/* What fh_os_self() never is: the slice waits to be freed, handed over or left by a thread that a fork has lost. */
enum { FH_WITHHELD_BY_NOBODY = 0 };

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

/* As fh_heap_alloc, but only of memory that was in use before. */
void *fh_heap_alloc_touched(struct fh_heap *heap, size_t request_bytes, size_t alignment);
/* As fh_heap_alloc, for a block that is to stand apart from what was freed: from top, never from a hole. */
void *fh_heap_alloc_apart(struct fh_heap *heap, size_t request_bytes);
/* Whether a live block has free memory around it, in a heap where much is free: its pages could go back if it stood
 * elsewhere. `goes_on`: blocks have been moved before for this reason. */
bool fh_heap_is_sparse_around(struct fh_heap *heap, const void *pointer, bool goes_on);

/* Takes back a block or a slab. Without the lock if need be: then it is handed over to whoever has it next. */
void fh_heap_free(struct fh_heap *heap, void *pointer);
void fh_heap_free_slab(struct fh_heap *heap, void *slab);

/*
 * Cutting up a slab: its chunk becomes `count` slabs, given by their distance from its base and their bytes, in address
 * order; what lies between is freed, and `frees` objects of it were before. The caller writes the slabs' headers while
 * it holds the heap. fh_heap_hold is false when the lock is not free now.
 */
struct fh_heap_part {
    uint32_t offset, bytes;
};
enum { FH_HEAP_PARTS_MOST = 16 };
bool fh_heap_hold(struct fh_heap *heap);
void fh_heap_let_go(struct fh_heap *heap);
void fh_heap_cut_slab(struct fh_heap *heap, void *slab, const struct fh_heap_part *parts, size_t count,
                      uint32_t frees);

/* Makes the block at least `request_bytes` large where it stands, or shrinks it; false when it can't be done, or when
 * it is better moved out of the large hole that it stands in. A block that grows gets up to `wanted_bytes` if there is
 * room. */
bool fh_heap_resize(struct fh_heap *heap, void *pointer, size_t request_bytes, size_t wanted_bytes);

/* Heap 0 and the others: whether pages of free chunks go back as they become free; a number that changes from time to
 * time while they do, for threads to give up what they keep. */
FH_INLINE uint32_t fh_heap_return_epoch(const struct fh_heap *heap) { return fh_load_relaxed(&heap->return_epoch); }

/* Gives back what the top can spare beyond `keep_bytes`, and the whole pages within free chunks, as glibc's malloc_trim
 * does; true if anything went. In steps, with the lock held only to choose what goes next (heap_trim.c). */
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
/* Huge pages for growth: before what is below `touched` is touched for the first time; right after that, if it has
 * begun; when memory goes back. How far memory reaches that `fresh` has made the kernel fill. Lock held. */
void fh_heap_begin_huge(struct fh_heap *heap, char *touched);
void fh_heap_note_huge(struct fh_heap *heap);
void fh_heap_end_huge(struct fh_heap *heap);
/* What has gone back is wanted again: by huge pages where it went by these. */
void fh_heap_resume_huge(struct fh_heap *heap);
/* The whole huge pages of a span; none where there are none. */
struct fh_span fh_heap_huge_within(const struct fh_heap *heap, struct fh_span span);
/* Addresses from `to` on are not the heap's any more. */
void fh_heap_cut_huge(struct fh_heap *heap, char *to);
char *fh_heap_reach_of_huge(const struct fh_heap *heap);
/* So much more at the end of the growing segment, or somewhat more, as far as `room` goes: no huge page is cut off. */
size_t fh_heap_wish_for_huge(const struct fh_heap *heap, size_t wish, size_t room);
/* Touched bytes of top that are less than what the next growth would take; 0 while it goes by small pages. */
size_t fh_heap_spare_of_huge(const struct fh_heap *heap);
/* Frees a chunk that is marked in use, coalescing: the size of the free chunk that it is part of now, 0 when that is
 * top. Lock held. */
size_t fh_heap_release_chunk(struct fh_heap *heap, struct fh_chunk *chunk);
/* Leaves the block for the next holder of the lock: one compare-and-set, nobody waits. */
void fh_heap_hand_over(struct fh_heap *heap, void *pointer);
/* Frees what others have handed over; lock held. */
void fh_heap_drain(struct fh_heap *heap);
/* The same, taking the lock; nothing happens when it is not to be had now. */
void fh_heap_settle(struct fh_heap *heap);

/* So many frees, of chunks or into a slab that is cut up now, pay for giving back small holes. */
void fh_heap_earn(struct fh_heap *heap, uint32_t frees);
/* A chunk has become free, or a free one larger: [chunk, chunk + size), of which a free brought `freed` bytes. */
void fh_heap_note_free(struct fh_heap *heap, struct fh_chunk *chunk, size_t size, size_t freed);
/* After a free: goes on with a sweep, or looks whether one is due. */
void fh_heap_look_around(struct fh_heap *heap);
FH_INLINE void fh_heap_maybe_return(struct fh_heap *heap)
{
    if (FH_UNLIKELY(heap->page_bytes - heap->purged_bytes >= heap->return_at_bytes)) fh_heap_look_around(heap);
}
/* Memory that had gone back is allocated again. */
void fh_heap_note_regret(struct fh_heap *heap, size_t bytes, struct fh_span span);
/* Not 0 once a second thread has asked for memory; the layer above sets it. Atomic. */
extern FH_HIDDEN uint32_t fh_heap_threads;
/* A purged chunk has been taken out of its bin; a free chunk is made: what of the span lies in it, as a flag. */
void fh_heap_take_span(struct fh_heap *heap, const struct fh_chunk *chunk, uint64_t content);
unsigned fh_heap_inherit_span(struct fh_heap *heap, struct fh_chunk *chunk, size_t size);
/* The operation is over; what no free chunk has inherited was allocated, is part of top, or is forgotten. */
enum fh_span_end { FH_SPAN_ALLOCATED, FH_SPAN_IN_TOP, FH_SPAN_FORGOTTEN };
void fh_heap_end_span(struct fh_heap *heap, enum fh_span_end end);
/* What top has of purged pages lies between these now: below `from` they were allocated, from `to` on top was trimmed.
 */
void fh_heap_cut_top_span(struct fh_heap *heap, uintptr_t from, uintptr_t to);
/* Pages of a free chunk in its bin have gone. */
void fh_heap_write_span(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span span);
/* Gives back pages of a free chunk that are not purged, at most so many bytes of it; how many went. */
size_t fh_heap_purge_chunk(struct fh_heap *heap, struct fh_chunk *chunk, size_t most_bytes);
/* Bytes `from` to `to` of a free chunk, or of top, look like a block that waits to be freed until
 * fh_heap_end_withheld: that block. What remains on either side is free, and large enough for a chunk. Lock held. */
struct fh_chunk *fh_heap_withhold(struct fh_heap *heap, struct fh_chunk *chunk, size_t from, size_t to);
struct fh_chunk *fh_heap_withhold_top(struct fh_heap *heap, size_t from, size_t to);
/* What is withheld is free again, its pages in `withheld_span` purged; false when the kernel refuses to take the page
 * between them and those that were. Lock held. */
bool fh_heap_end_withheld(struct fh_heap *heap);

/*
 * What is done from one release of a heap's lock to the next, and the most of it, in debug builds: for tests that it is
 * held for no longer in a larger heap, which no time can show.
 */
struct fh_heap_work {
    size_t chunks; /* looked at by a trim or a sweep, or taken from what was handed over */
    size_t bytes;  /* given back to the kernel meanwhile */
};
#if defined(FH_DEBUG) && FH_DEBUG
extern struct fh_heap_work fh_heap_work, fh_heap_work_most;
FH_INLINE void fh_heap_note_work(size_t chunks, size_t bytes)
{
    fh_count_add(&fh_heap_work.chunks, chunks);
    fh_count_add(&fh_heap_work.bytes, bytes);
}
void fh_heap_end_work(void);
#else
FH_INLINE void fh_heap_note_work(size_t chunks, size_t bytes) { (void)chunks, (void)bytes; }
FH_INLINE void fh_heap_end_work(void) {}
#endif

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
