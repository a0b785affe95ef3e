/*
 * bins.c - see bins.h.
 *
 * Layer: heap.
 */
#include "bins.h"

enum { LOOK_AT_MOST = 8 }; /* chunks of one bin that a search looks at: bounds the time, whatever the heap */

unsigned fh_bins_index(size_t size)
{
    if (size < FH_BIN_EXACT_LIMIT) return (unsigned)(size >> 4);
    unsigned doubling = fh_log2_floor(size);
    unsigned step = (unsigned)(size >> (doubling - FH_BIN_STEPS_SHIFT)) & ((1u << FH_BIN_STEPS_SHIFT) - 1);
    return FH_BIN_EXACT_COUNT + ((doubling - FH_BIN_FIRST_DOUBLING) << FH_BIN_STEPS_SHIFT) + step;
}

/*
 * Links of free chunks are mixed with the secret and the place where they stand, as those of slabs are; a stray write
 * turns them into an address that can't be one.
 */
static struct fh_chunk *mixed(struct fh_chunk *const *place, const struct fh_chunk *chunk)
{
    return (struct fh_chunk *)((uintptr_t)chunk ^ (fh_guard.secret + (uintptr_t)place));
}

/* Chunks stand at 8 modulo 16, within the address space. */
static bool may_be_chunk(const struct fh_chunk *chunk)
{
    return !chunk || ((uint64_t)(uintptr_t)chunk & (FH_POINTER_BAD_BITS | 15)) == 8;
}

FH_INLINE struct fh_chunk *follow(struct fh_chunk *const *place)
{
    struct fh_chunk *chunk = mixed(place, *place);
    if (FH_UNLIKELY(!may_be_chunk(chunk)))
        fh_fault(FH_FAULT_DAMAGED_LINK, place, SIZE_MAX, (struct fh_place){"a free chunk", 0, -1});
    return chunk;
}

bool fh_bins_peek(const struct fh_chunk *chunk, struct fh_chunk **next, struct fh_chunk **previous)
{
    *next = mixed(&chunk->next_free, chunk->next_free);
    *previous = mixed(&chunk->previous_free, chunk->previous_free);
    return may_be_chunk(*next) && may_be_chunk(*previous);
}

static void point(struct fh_chunk **place, const struct fh_chunk *chunk) { *place = mixed(place, chunk); }

/* Some of its pages went back to the kernel. */
FH_INLINE bool is_purged(const struct fh_chunk *chunk) { return fh_chunk_raw_tag(chunk) & FH_CHUNK_PURGED; }

/* Behind all others, if there are some and the chunk has no pages to give; false when it is to go where any does. */
FH_NOINLINE static bool insert_last(struct fh_bins *bins, struct fh_chunk *chunk, unsigned index)
{
    if (!bins->heads[index] || fh_chunk_dirty_bytes(chunk)) return false;
    struct fh_chunk *last = bins->lasts[index - FH_BIN_PAGES_FIRST];
    point(&chunk->next_free, NULL);
    point(&chunk->previous_free, last);
    point(&last->next_free, chunk);
    bins->lasts[index - FH_BIN_PAGES_FIRST] = chunk;
    return true;
}

void fh_bins_insert(struct fh_bins *bins, struct fh_chunk *chunk, size_t size)
{
    unsigned index = fh_bins_index(size);
    struct fh_chunk *head = bins->heads[index];
    bool has_pages = index >= FH_BIN_PAGES_FIRST;
    if (FH_UNLIKELY(is_purged(chunk)) && insert_last(bins, chunk, index)) return;
    /* The lower of the two goes first: allocation then prefers low addresses, so that the top drains, for one compare
     * instead of a sorted list. */
    if (!head || chunk < head || FH_UNLIKELY(is_purged(head))) {
        if (!head && has_pages) bins->lasts[index - FH_BIN_PAGES_FIRST] = chunk;
        point(&chunk->next_free, head);
        point(&chunk->previous_free, NULL);
        if (head) point(&head->previous_free, chunk);
        bins->heads[index] = chunk;
    } else {
        struct fh_chunk *second = follow(&head->next_free);
        point(&chunk->next_free, second);
        point(&chunk->previous_free, head);
        point(&head->next_free, chunk);
        if (second) point(&second->previous_free, chunk);
        else if (has_pages) bins->lasts[index - FH_BIN_PAGES_FIRST] = chunk;
    }
    bins->words[index / 64] |= (uint64_t)1 << index % 64;
    bins->summary |= (uint64_t)1 << index / 64;
}

void fh_bins_remove(struct fh_bins *bins, struct fh_chunk *chunk, size_t size)
{
    unsigned index = fh_bins_index(size);
    struct fh_chunk *next = follow(&chunk->next_free), *previous = follow(&chunk->previous_free);
    /* Both neighbours must agree that the chunk is between them, or one of the three was written to. */
    if (FH_UNLIKELY((next && follow(&next->previous_free) != chunk) ||
                    (previous ? follow(&previous->next_free) != chunk : bins->heads[index] != chunk)))
        fh_fault(FH_FAULT_DAMAGED_LINK, fh_chunk_payload(chunk), size - FH_CHUNK_TAG_BYTES,
                 (struct fh_place){"a free chunk", 0, -1});
    if (next) point(&next->previous_free, previous);
    else if (index >= FH_BIN_PAGES_FIRST) bins->lasts[index - FH_BIN_PAGES_FIRST] = previous;
    if (previous) {
        point(&previous->next_free, next);
        return;
    }
    bins->heads[index] = next;
    if (next) return;
    bins->words[index / 64] &= ~((uint64_t)1 << index % 64);
    if (!bins->words[index / 64]) bins->summary &= ~((uint64_t)1 << index / 64);
}

/* The first of a bin's leading chunks that fits. */
static struct fh_chunk *fit_in_bin(const struct fh_bins *bins, unsigned index, size_t size, size_t alignment,
                                   size_t phase)
{
    struct fh_chunk *chunk = bins->heads[index];
    for (int looked = 0; chunk && looked < LOOK_AT_MOST; looked++) {
        if (fh_chunk_aligned_offset(chunk, fh_chunk_size(fh_chunk_read(chunk)), size, alignment, phase) != SIZE_MAX)
            return chunk;
        chunk = follow(&chunk->next_free);
    }
    return NULL;
}

/* The first bin at or above `index` that is not empty; FH_BIN_COUNT when there is none. */
static unsigned next_filled(const struct fh_bins *bins, unsigned index)
{
    if (index >= FH_BIN_COUNT) return FH_BIN_COUNT;
    uint64_t word = bins->words[index / 64] & (~(uint64_t)0 << index % 64);
    if (word) return index / 64 * 64 + (unsigned)__builtin_ctzll(word);
    if (index / 64 + 1 >= FH_BIN_WORDS) return FH_BIN_COUNT;
    uint64_t summary = bins->summary & (~(uint64_t)0 << (index / 64 + 1));
    if (!summary) return FH_BIN_COUNT;
    unsigned filled = (unsigned)__builtin_ctzll(summary);
    return filled * 64 + (unsigned)__builtin_ctzll(bins->words[filled]);
}

struct fh_chunk *fh_bins_next(const struct fh_chunk *chunk) { return follow(&chunk->next_free); }

unsigned fh_bins_next_below(const struct fh_bins *bins, unsigned index)
{
    while (index > FH_BIN_PAGES_FIRST) {
        unsigned at = index - 1;
        uint64_t word = bins->words[at / 64] << (63 - at % 64);
        if (word) {
            unsigned found = at - (unsigned)__builtin_clzll(word);
            return found >= FH_BIN_PAGES_FIRST ? found : 0;
        }
        index = at / 64 * 64;
    }
    return 0;
}

struct fh_chunk *fh_bins_find(const struct fh_bins *bins, size_t size, size_t alignment, size_t phase)
{
    enum { ALIGNED_TRIES = 4 };
    unsigned index = fh_bins_index(size);
    if (alignment <= FH_ALIGNMENT) {
        /* Chunks of the request's own bin may be smaller than it; those of any higher bin are all large enough. */
        struct fh_chunk *chunk = fit_in_bin(bins, index, size, FH_ALIGNMENT, 0);
        if (chunk) return chunk;
        index = next_filled(bins, index + 1);
        if (index >= FH_BIN_COUNT) return NULL;
        if (FH_LIKELY(!fh_chunk_is_at_page_end(bins->heads[index]))) return bins->heads[index];
    }
    for (int tries = 0; tries < ALIGNED_TRIES; tries++, index++) {
        index = next_filled(bins, index);
        if (index >= FH_BIN_COUNT) return NULL;
        struct fh_chunk *chunk = fit_in_bin(bins, index, size, alignment, phase);
        if (chunk) return chunk;
    }
    /* From here on every chunk is large enough wherever it starts. */
    index = next_filled(bins, fh_bins_index(size + alignment + 3 * FH_CHUNK_LEAST) + 1);
    return index < FH_BIN_COUNT ? bins->heads[index] : NULL;
}
