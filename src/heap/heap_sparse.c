/*
 * heap_sparse.c - whether a block stands in a sparse place: what defragmentation asks (core/moves.c).
 *
 * Layer: heap. The few chunks around a block are looked at, since a page goes back when all that is on it is free, and
 * nothing further away matters.
 */
#include "heap.h"

enum {
    WORTH_IT = 256 << 10, /* free bytes in memory below which blocks of the heap stay where they are, */
    WORTH_SHARE = 16,     /* and this part of what is in use to begin with, */
    ON_SHARE = 64,        /* or this one to go on, as what has gone back makes it less */
    WINDOW_CHUNKS = 32,   /* from the block on */
    WINDOW_BYTES = 32 << 10,
    WINDOW_SHARE = 32 /* more than this part of the window is free: the place is sparse */
};

/* What a free chunk takes of memory: pages that have gone back are nobody's loss. */
static size_t in_memory(const struct fh_chunk *chunk, uint64_t content)
{
    return fh_min(fh_chunk_size(content) - fh_span_bytes(fh_chunk_span(chunk, content)), WINDOW_BYTES);
}

static bool is_sparse(const struct fh_heap *heap, struct fh_chunk *chunk)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t all = 0, unused = 0;
    if (!(content & FH_CHUNK_PREVIOUS_IN_USE)) {
        struct fh_chunk *previous = (struct fh_chunk *)(void *)((char *)chunk - fh_chunk_previous_size(chunk));
        all = unused = in_memory(previous, fh_chunk_read(previous));
    }
    for (int i = 0; i < WINDOW_CHUNKS && all < WINDOW_BYTES; i++) {
        bool in_use = content & FH_CHUNK_IN_USE;
        if (in_use && (content & (FH_CHUNK_SLAB | FH_CHUNK_FENCE))) break;
        size_t size = fh_chunk_size(content), counted = in_use ? size : in_memory(chunk, content);
        all += counted;
        if (!in_use) unused += counted;
        chunk = fh_chunk_at(chunk, size);
        if (chunk == heap->top) break;
        content = fh_chunk_read(chunk);
    }
    return unused > all / WINDOW_SHARE;
}

bool fh_heap_is_sparse_around(struct fh_heap *heap, const void *pointer, bool goes_on)
{
    size_t unused = fh_load_relaxed(&heap->free_bytes), purged = fh_load_relaxed(&heap->purged_bytes);
    unused -= fh_min(purged, unused);
    size_t share = fh_load_relaxed(&heap->used_bytes) / (goes_on ? ON_SHARE : WORTH_SHARE);
    if (unused < fh_max(WORTH_IT, share)) return false;
    if (!fh_lock_acquire(&heap->lock)) return false;
    bool sparse = is_sparse(heap, fh_chunk_of(pointer));
    fh_lock_release(&heap->lock);
    return sparse;
}
