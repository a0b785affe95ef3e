/*
 * medium.c - see medium.h.
 *
 * Layer: cache.
 */
#include "medium.h"

#include "fault.h"
#include "guard.h"

static unsigned bin_of(size_t bytes)
{
    unsigned doubling = fh_log2_floor(bytes);
    unsigned step = (unsigned)(bytes >> (doubling - FH_MEDIUM_STEPS_SHIFT)) & ((1u << FH_MEDIUM_STEPS_SHIFT) - 1);
    return ((doubling - FH_MEDIUM_FIRST_DOUBLING) << FH_MEDIUM_STEPS_SHIFT) + step;
}
FH_STATIC_ASSERT(FH_MEDIUM_BINS <= 64, "one word tells which bins are filled");
FH_STATIC_ASSERT((15 - FH_MEDIUM_FIRST_DOUBLING + 1) << FH_MEDIUM_STEPS_SHIFT == FH_MEDIUM_BINS, "bins reach 64 KiB");
FH_STATIC_ASSERT(FH_MEDIUM_LEAST >= 1 << FH_MEDIUM_FIRST_DOUBLING, "the first doubling holds the least block");

/* The third word of a kept block: its size, sealed, since a stray write may reach it as well as the link. */
static void write_size(void *block, size_t bytes)
{
    fh_word *word = (fh_word *)block + 2;
    *word = fh_guard_seal(bytes, (uintptr_t)word);
}

FH_INLINE size_t read_size(const void *block)
{
    const fh_word *word = (const fh_word *)block + 2;
    if (FH_UNLIKELY(!fh_guard_is_sealed(*word, (uintptr_t)word)))
        fh_fault(FH_FAULT_DAMAGED_LINK, block, SIZE_MAX, (struct fh_place){"a cached chunk", 0, -1});
    return *word & FH_TAG_CONTENT;
}

void fh_medium_init(struct fh_medium *medium, size_t most_bytes)
{
    *medium = (struct fh_medium){.most_bytes = most_bytes};
}

/* What follows a kept block in its bin; stops at a damaged one. */
FH_INLINE void *follow(const void *block)
{
    void *next;
    if (FH_UNLIKELY(!fh_guard_follow(block, &next)))
        fh_fault(FH_FAULT_DAMAGED_LINK, block, SIZE_MAX, (struct fh_place){"a cached chunk", 0, -1});
    return next;
}

FH_INLINE void *taken(struct fh_medium *medium, void *block)
{
    medium->bytes -= read_size(block);
    medium->blocks--;
    fh_guard_unmark(block);
    return block;
}

static void *pop(struct fh_medium *medium, unsigned bin)
{
    void *block = medium->bins[bin], *next = follow(block);
    medium->bins[bin] = next;
    if (!next) medium->filled &= ~((uint64_t)1 << bin);
    return taken(medium, block);
}

void *fh_medium_take(struct fh_medium *medium, size_t request_bytes)
{
    if (medium->bytes == 0) return NULL;
    unsigned bin = bin_of(fh_max(request_bytes, FH_MEDIUM_LEAST));
    /* The request's own bin holds sizes from below it to above it; the next one only sizes that fit. */
    void *block = medium->bins[bin];
    if (block && read_size(block) >= request_bytes) return pop(medium, bin);
    if (++bin < FH_MEDIUM_BINS && medium->bins[bin]) return pop(medium, bin);
    return NULL;
}

/* The first of the bin's leading blocks that fits. */
static void *take_aligned(struct fh_medium *medium, unsigned bin, size_t request_bytes, size_t alignment)
{
    void *before = NULL, *block = medium->bins[bin];
    for (int looked = 0; block && looked < FH_ALIGNED_LOOKS; looked++) {
        if ((uintptr_t)block % alignment == 0 && read_size(block) >= request_bytes) {
            if (!before) return pop(medium, bin);
            fh_guard_link(before, follow(block));
            return taken(medium, block);
        }
        before = block;
        block = follow(block);
    }
    return NULL;
}

void *fh_medium_take_aligned(struct fh_medium *medium, size_t request_bytes, size_t alignment)
{
    unsigned bin = bin_of(fh_max(request_bytes, FH_MEDIUM_LEAST));
    void *block = take_aligned(medium, bin, request_bytes, alignment);
    return block || ++bin == FH_MEDIUM_BINS ? block : take_aligned(medium, bin, request_bytes, alignment);
}

bool fh_medium_put(struct fh_medium *medium, void *block, size_t usable_bytes)
{
    if (!fh_medium_accepts(usable_bytes) || medium->bytes + usable_bytes > medium->most_bytes) return false;
    unsigned bin = bin_of(usable_bytes);
    fh_guard_link(block, medium->bins[bin]);
    write_size(block, usable_bytes);
    medium->bins[bin] = block;
    medium->filled |= (uint64_t)1 << bin;
    medium->bytes += usable_bytes;
    medium->blocks++;
    return true;
}

void *fh_medium_take_any(struct fh_medium *medium)
{
    return medium->filled ? pop(medium, (unsigned)__builtin_ctzll(medium->filled)) : NULL;
}
