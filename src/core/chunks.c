/*
 * chunks.c - medium blocks: the thread's store of them first, then the heaps, then a mapping.
 *
 * Layer: core.
 */
#include "core.h"
#include "fault.h"
#include "large.h"
#include "pagemap.h"
#include "state.h"

/* The thread's own heap, then any other: a block from a strange heap beats none. */
static void *alloc_from_heaps(struct fh_heap *own, size_t request_bytes, size_t alignment, bool *zeroed)
{
    void *pointer = fh_heap_alloc(own, request_bytes, alignment, zeroed);
    for (uint32_t i = 0; !pointer && i < fh_heaps_count(); i++)
        if (fh_heaps_get(i) != own) pointer = fh_heap_alloc(fh_heaps_get(i), request_bytes, alignment, zeroed);
    return pointer;
}

static void publish_medium(struct fh_state *state)
{
    fh_store_relaxed(&state->published.medium_bytes, state->medium.bytes);
    fh_store_relaxed(&state->published.medium_blocks, state->medium.blocks);
}

void *fh_chunk_alloc(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (state && alignment <= FH_ALIGNMENT && request_bytes <= FH_MEDIUM_MOST) {
        void *kept = fh_medium_take(&state->medium, request_bytes);
        if (kept) {
            publish_medium(state);
            return kept;
        }
    }
    if (request_bytes > FH_CHUNK_MOST || alignment > FH_CHUNK_MOST) return NULL;
    void *pointer = alloc_from_heaps(state ? state->heap : fh_heaps_get(0), request_bytes, alignment, zeroed);
    /* No heap can be locked (a fork is being prepared) or grown: a mapping of its own may still be had. */
    return pointer ? pointer : fh_large_alloc(request_bytes, alignment, zeroed);
}

void fh_chunk_check(const void *pointer, uint32_t entry)
{
    const struct fh_chunk *chunk = fh_chunk_of(pointer);
    bool sound = (uintptr_t)pointer % FH_ALIGNMENT == 0 && fh_chunk_is_sound(chunk);
    if (FH_UNLIKELY(!sound)) fh_misuse(pointer, entry);
    uint64_t content = fh_chunk_read(chunk);
    struct fh_place place = {"a chunk", 0, (int)fh_entry_owner(entry)};
    if (FH_UNLIKELY(!(content & FH_CHUNK_IN_USE) || fh_guard_is_marked(pointer)))
        fh_fault(FH_FAULT_DOUBLE_FREE, pointer, fh_chunk_size(content) - FH_CHUNK_TAG_BYTES, place);
    if (FH_UNLIKELY(content & (FH_CHUNK_SLAB | FH_CHUNK_FENCE)))
        fh_fault(FH_FAULT_FOREIGN_POINTER, pointer, SIZE_MAX, place);
}

void fh_chunk_free(struct fh_state *state, void *pointer, uint32_t entry)
{
    fh_chunk_check(pointer, entry);
    size_t usable = fh_chunk_size(fh_chunk_read(fh_chunk_of(pointer))) - FH_CHUNK_TAG_BYTES;
    if (state && fh_medium_put(&state->medium, pointer, usable)) {
        publish_medium(state);
        return;
    }
    fh_heap_free(fh_heaps_get(fh_entry_owner(entry)), pointer);
}

void fh_chunk_flush_cache(struct fh_state *state)
{
    void *pointer;
    while ((pointer = fh_medium_take_any(&state->medium)) != NULL)
        fh_heap_free(fh_heaps_get(fh_entry_owner(fh_pagemap_get(pointer))), pointer);
    publish_medium(state);
}
