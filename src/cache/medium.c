/*
 * medium.c - see medium.h.
 *
 * Layer: cache.
 */
#include "medium.h"

#include "fault.h"
#include "guard.h"

/* The third word of a kept block: its size, sealed, since a stray write may reach it as well as the link. */
static void write_size(void *block, size_t bytes)
{
    fh_word *word = (fh_word *)block + 2;
    *word = fh_guard_seal(bytes, (uintptr_t)word);
}

FH_COLD FH_NOINLINE static void stop_at(const void *block)
{
    fh_fault(FH_FAULT_DAMAGED_LINK, block, SIZE_MAX, (struct fh_place){"a cached chunk", 0, -1});
}

FH_INLINE size_t read_size(const void *block)
{
    const fh_word *word = (const fh_word *)block + 2;
    if (FH_UNLIKELY(!fh_guard_is_sealed(*word, (uintptr_t)word))) stop_at(block);
    return *word & FH_TAG_CONTENT;
}

void fh_medium_init(struct fh_medium *medium, size_t base_bytes)
{
    *medium = (struct fh_medium){.most_bytes = base_bytes, .base_bytes = base_bytes, .until_look = FH_MEDIUM_WINDOW};
}

/* What follows a kept block in its bin; stops at a damaged one. */
FH_INLINE void *follow(const void *block)
{
    void *next;
    if (FH_UNLIKELY(!fh_guard_follow(block, &next))) stop_at(block);
    return next;
}

FH_INLINE void *taken(struct fh_medium *medium, void *block, size_t bytes)
{
    medium->bytes -= bytes;
    medium->blocks--;
    fh_guard_unmark(block);
    return block;
}

FH_INLINE void *pop(struct fh_medium *medium, unsigned bin, void *block, size_t bytes)
{
    void *next = follow(block);
    uint64_t bit = (uint64_t)1 << bin;
    medium->bins[bin] = next;
    medium->given |= bit;
    if (!next) medium->filled &= ~bit;
    return taken(medium, block, bytes);
}

static void *pop_first(struct fh_medium *medium, unsigned bin)
{
    return pop(medium, bin, medium->bins[bin], read_size(medium->bins[bin]));
}

static unsigned bin_of_request(size_t request_bytes) { return fh_medium_bin(fh_max(request_bytes, FH_MEDIUM_LEAST)); }

/* Bins that hold a block for a request of this bin, beyond its own; bit 0: the next one. */
static uint64_t filled_above(const struct fh_medium *medium, unsigned bin) { return medium->filled >> bin >> 1; }

enum { ABOVE = (1 << FH_MEDIUM_BINS_ABOVE) - 1 };

void *fh_medium_take(struct fh_medium *medium, size_t request_bytes)
{
    unsigned bin = bin_of_request(request_bytes);
    /* The request's own bin holds sizes from below it to above it; the next ones only sizes that fit. */
    void *before = NULL, *block = medium->bins[bin];
    for (int looked = 0; block && looked < FH_MEDIUM_LOOKS; looked++) {
        size_t bytes = read_size(block);
        if (bytes >= request_bytes) {
            if (FH_LIKELY(!before)) return pop(medium, bin, block, bytes);
            fh_guard_link(before, follow(block));
            return taken(medium, block, bytes);
        }
        before = block;
        block = follow(block);
    }
    uint64_t above = filled_above(medium, bin) & ABOVE;
    return above ? pop_first(medium, bin + 1 + (unsigned)__builtin_ctzll(above)) : NULL;
}

/* The first of the bin's leading blocks that fits. */
static void *take_aligned(struct fh_medium *medium, unsigned bin, size_t request_bytes, size_t alignment)
{
    void *before = NULL, *block = medium->bins[bin];
    for (int looked = 0; block && looked < FH_ALIGNED_LOOKS; looked++) {
        size_t bytes = read_size(block);
        if ((uintptr_t)block % alignment == 0 && bytes >= request_bytes) {
            if (!before) return pop(medium, bin, block, bytes);
            fh_guard_link(before, follow(block));
            return taken(medium, block, bytes);
        }
        before = block;
        block = follow(block);
    }
    return NULL;
}

void *fh_medium_take_aligned(struct fh_medium *medium, size_t request_bytes, size_t alignment)
{
    unsigned own = bin_of_request(request_bytes), last = fh_min(own + FH_MEDIUM_BINS_ABOVE, FH_MEDIUM_BINS - 1u);
    for (unsigned bin = own; bin <= last; bin++) {
        void *block = take_aligned(medium, bin, request_bytes, alignment);
        if (block) return block;
    }
    return NULL;
}

bool fh_medium_put(struct fh_medium *medium, void *block, size_t usable_bytes)
{
    if (!fh_medium_accepts(usable_bytes)) return false;
    unsigned bin = fh_medium_bin(usable_bytes);
    uint64_t bit = (uint64_t)1 << bin;
    if (medium->until_look) medium->until_look--;
    if (FH_UNLIKELY(medium->bytes + usable_bytes > medium->most_bytes || usable_bytes > medium->most_bytes / 2)) {
        medium->refused |= bit;
        return false;
    }
    fh_guard_link(block, medium->bins[bin]);
    write_size(block, usable_bytes);
    medium->bins[bin] = block;
    medium->filled |= bit;
    medium->bytes += usable_bytes;
    medium->blocks++;
    return true;
}

void *fh_medium_take_any(struct fh_medium *medium, uint64_t bins)
{
    bins &= medium->filled;
    return bins ? pop_first(medium, (unsigned)__builtin_ctzll(bins)) : NULL;
}

uint64_t fh_medium_larger(const struct fh_medium *medium, size_t request_bytes)
{
    if (request_bytes > FH_MEDIUM_MOST) return 0;
    return medium->filled & (~(uint64_t)0 << bin_of_request(request_bytes) << 1);
}

bool fh_medium_was_refused(struct fh_medium *medium, size_t request_bytes)
{
    if (request_bytes > FH_MEDIUM_MOST) return false;
    uint64_t bins = (uint64_t)(ABOVE << 1 | 1) << bin_of_request(request_bytes);
    uint64_t found = medium->refused & bins;
    medium->refused &= ~found;
    return found;
}
