/*
 * bins.h - the free lists of one heap (R1): segregated by size, found through a two-level bitmap.
 *
 * Layer: heap; guarded by the heap's lock. After Masmano, Ripoll, Crespo, Real, "TLSF" (ECRTS 2004): finding a fit is
 * two bit scans, whatever the number of chunks. Below 1 KiB there is a bin for each size; above, 16 bins to each
 * doubling.
 */
#ifndef FH_BINS_H
#define FH_BINS_H

#include "chunk.h"
#include "pagemap.h"

enum {
    FH_BIN_EXACT_LIMIT = 1024, /* sizes below have a bin of their own */
    FH_BIN_EXACT_COUNT = FH_BIN_EXACT_LIMIT / 16,
    FH_BIN_STEPS_SHIFT = 4, /* 16 bins to a doubling */
    FH_BIN_FIRST_DOUBLING = 10,
    FH_BIN_LAST_DOUBLING = 46,
    FH_BIN_COUNT = FH_BIN_EXACT_COUNT + ((FH_BIN_LAST_DOUBLING - FH_BIN_FIRST_DOUBLING + 1) << FH_BIN_STEPS_SHIFT),
    FH_BIN_WORDS = (FH_BIN_COUNT + 63) / 64,
    FH_BIN_PAGES_FIRST = FH_BIN_EXACT_COUNT + (2 << FH_BIN_STEPS_SHIFT) /* of 4 KiB: whole pages may lie in a chunk */
};
FH_STATIC_ASSERT(1 << FH_BIN_FIRST_DOUBLING == FH_BIN_EXACT_LIMIT, "the two ranges of bins meet");
FH_STATIC_ASSERT(FH_BIN_WORDS <= 64, "one word summarises the bitmap");

struct fh_bins {
    uint64_t summary;             /* bit i: words[i] is not 0 */
    uint64_t words[FH_BIN_WORDS]; /* bit b: bin b is not empty */
    struct fh_chunk *heads[FH_BIN_COUNT];
    struct fh_chunk *lasts[FH_BIN_COUNT - FH_BIN_PAGES_FIRST]; /* of bins from that one on */
};

/* The bin that a free chunk of this size belongs to. */
unsigned fh_bins_index(size_t size);

/*
 * In a bin whose chunks may have whole pages in them, those of which all pages went back to the kernel come last: who
 * gives back finds the others at once, and allocation takes them first. Who changes that about a chunk inserts it anew.
 */
void fh_bins_insert(struct fh_bins *bins, struct fh_chunk *chunk, size_t size);
void fh_bins_remove(struct fh_bins *bins, struct fh_chunk *chunk, size_t size);

/* A free chunk whose payload can start `phase` bytes behind a multiple of `alignment`, with `size` bytes of chunk from
 * there on; not removed. NULL when none is found; for alignments above 16 a fit may be missed, never a wrong one
 * returned. */
struct fh_chunk *fh_bins_find(const struct fh_bins *bins, size_t size, size_t alignment, size_t phase);

/* What follows a free chunk in its bin; NULL at the end. */
struct fh_chunk *fh_bins_next(const struct fh_chunk *chunk);
/* The last bin below `index` that is not empty and whose chunks may have whole pages in them; 0 for none. */
unsigned fh_bins_next_below(const struct fh_bins *bins, unsigned index);

/* For validators: what follows a free chunk in its bin, without stopping at damage; false when the link is damaged. */
bool fh_bins_peek(const struct fh_chunk *chunk, struct fh_chunk **next, struct fh_chunk **previous);

/* Where a slab was cut up, a chunk may begin in the last bytes of a slab's page, in which no block of a heap may start:
 * the page map would take it for an object. Such a chunk stands here in its page. */
FH_INLINE bool fh_chunk_is_at_page_end(const struct fh_chunk *chunk)
{
    return (uintptr_t)chunk % FH_PAGEMAP_GRAIN == FH_PAGEMAP_GRAIN - FH_CHUNK_LEAST - FH_CHUNK_TAG_BYTES;
}

/* Where in a chunk of `size` bytes an aligned chunk of `needed` bytes can start, its payload `phase` bytes behind a
 * multiple of `alignment`: its offset, 0 or at least FH_CHUNK_LEAST so that what lies in front is a chunk too; SIZE_MAX
 * when it doesn't fit. */
FH_INLINE size_t fh_chunk_aligned_offset(const struct fh_chunk *chunk, size_t size, size_t needed, size_t alignment,
                                         size_t phase)
{
    if (FH_LIKELY(alignment <= FH_ALIGNMENT && !fh_chunk_is_at_page_end(chunk))) return size >= needed ? 0 : SIZE_MAX;
    uintptr_t payload = (uintptr_t)chunk + FH_CHUNK_TAG_BYTES - phase, from = payload;
    if (FH_UNLIKELY(alignment <= FH_CHUNK_LEAST && fh_chunk_is_at_page_end(chunk)) && /* larger ones leave it anyway */
        fh_entry_kind(fh_pagemap_get(chunk)) == FH_PAGE_SLAB)
        from += FH_CHUNK_LEAST + FH_SLAB_BOUNDARY_BYTES;
    size_t offset = fh_align_up(from, alignment) - payload;
    while (FH_UNLIKELY(offset - 1 < FH_CHUNK_LEAST - 1)) offset += alignment;
    return offset <= size && size - offset >= needed ? offset : SIZE_MAX;
}

#endif
