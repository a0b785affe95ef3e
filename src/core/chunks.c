/*
 * chunks.c - medium blocks: the thread's store of them first, then the heaps, then a mapping.
 *
 * Layer: core.
 */
#include "core.h"
#include "fault.h"
#include "large.h"
#include "pagemap.h"
#include "sampling.h"
#include "state.h"

/* The thread's own heap, then any other: a block from a strange heap beats none. */
static void *alloc_from_heaps(struct fh_heap *own, size_t request_bytes, size_t alignment, bool *zeroed)
{
    void *pointer = fh_heap_alloc(own, request_bytes, alignment, zeroed);
    for (uint32_t i = 0; !pointer && i < fh_heaps_count(); i++)
        if (fh_heaps_get(i) != own) pointer = fh_heap_alloc(fh_heaps_get(i), request_bytes, alignment, zeroed);
    return pointer;
}

/* Usable bytes of a block that has been checked, or has just been made. */
static size_t usable_of(const void *pointer)
{
    return fh_chunk_size(fh_chunk_raw_tag(fh_chunk_of(pointer)) & FH_TAG_CONTENT) - FH_CHUNK_TAG_BYTES;
}

void fh_chunk_note_resized(const void *pointer, size_t usable_before)
{
    struct fh_state *state = fh_state_if_plain();
    if (state) state->chunk_bytes += usable_of(pointer) - usable_before;
}

void *fh_chunk_take_kept(struct fh_state *state, size_t request_bytes, size_t alignment)
{
    if (request_bytes <= FH_SMALL_MOST || request_bytes > FH_MEDIUM_MOST) return NULL;
    void *kept = alignment <= FH_ALIGNMENT ? fh_medium_take(&state->medium, request_bytes)
                                           : fh_medium_take_aligned(&state->medium, request_bytes, alignment);
    if (kept) fh_chunk_store_publish(state);
    return kept;
}

FH_INLINE bool keep(struct fh_state *state, void *pointer, size_t usable_bytes)
{
    bool kept = fh_medium_put(&state->medium, pointer, usable_bytes);
    if (FH_UNLIKELY(state->medium.until_look == 0)) fh_chunk_store_look(state);
    if (!kept) return false;
    fh_chunk_store_publish(state);
    return true;
}

FH_NOINLINE static bool look_and_keep(struct fh_state *state, void *pointer, size_t usable_bytes)
{
    fh_hoard_look(state);
    return keep(state, pointer, usable_bytes);
}

bool fh_chunk_keep(struct fh_state *state, void *pointer, size_t usable_bytes)
{
    if (FH_UNLIKELY(--state->looks_after == 0)) return look_and_keep(state, pointer, usable_bytes);
    return keep(state, pointer, usable_bytes);
}

void *fh_chunk_alloc(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed)
{
    void *kept = state ? fh_chunk_take_kept(state, request_bytes, alignment) : NULL;
    *zeroed = false;
    return kept ? kept : fh_chunk_alloc_fresh(state, request_bytes, alignment, zeroed);
}

void *fh_chunk_alloc_fresh(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed)
{
    *zeroed = false;
    if (request_bytes > FH_CHUNK_MOST || alignment > FH_CHUNK_MOST) return NULL;
    if (FH_UNLIKELY(state && state->moves.on && alignment <= FH_ALIGNMENT)) {
        fh_moves_step(state); /* a thread that never asks again must not go on like this for ever */
        void *apart = state->moves.on ? fh_heap_alloc_apart(state->heap, request_bytes) : NULL;
        if (apart) return apart;
    }
    if (FH_UNLIKELY(state && state->draining)) fh_return_end_drain(state);
    if (state && request_bytes > FH_SMALL_MOST) {
        fh_chunk_store_note_miss(state, request_bytes);
        bool much = fh_chunk_store_holds_much(state);
        void *again = FH_UNLIKELY(much) ? fh_chunk_store_alloc(state, request_bytes, alignment) : NULL;
        if (again) {
            state->chunk_bytes += usable_of(again);
            return again;
        }
    }
    void *pointer = alloc_from_heaps(state ? state->heap : fh_heaps_get(0), request_bytes, alignment, zeroed);
    if (state && FH_LIKELY(pointer != NULL)) state->chunk_bytes += usable_of(pointer);
    /* No heap can be locked (a fork is being prepared) or grown: a mapping of its own may still be had. */
    return pointer ? pointer : fh_large_alloc_last_resort(request_bytes, alignment, zeroed);
}

size_t fh_chunk_check(const void *pointer, uint32_t entry)
{
    uint64_t tag = (uintptr_t)pointer % FH_ALIGNMENT == 0 ? fh_chunk_raw_tag(fh_chunk_of(pointer)) : 0;
    if (FH_UNLIKELY(!tag || !fh_guard_is_sealed(tag, (uintptr_t)fh_chunk_of(pointer)))) fh_misuse(pointer, entry);
    size_t usable = fh_chunk_size(tag & FH_TAG_CONTENT) - FH_CHUNK_TAG_BYTES;
    enum { WANTED = FH_CHUNK_IN_USE, UNWANTED = FH_CHUNK_SLAB | FH_CHUNK_FENCE };
    if (FH_UNLIKELY((tag & (WANTED | UNWANTED)) != WANTED || fh_guard_is_marked(pointer))) {
        struct fh_place place = {"a chunk", 0, (int)fh_entry_owner(entry)};
        if ((tag & FH_CHUNK_IN_USE) && (tag & UNWANTED)) fh_fault(FH_FAULT_FOREIGN_POINTER, pointer, SIZE_MAX, place);
        fh_fault(FH_FAULT_DOUBLE_FREE, pointer, usable, place);
    }
    return usable;
}

void fh_chunk_release(struct fh_state *state, void *pointer, uint32_t entry)
{
    if (state) state->chunk_bytes -= usable_of(pointer);
    fh_heap_free(fh_heaps_get(fh_entry_owner(entry)), pointer);
    if (state && FH_UNLIKELY(fh_heap_return_epoch(state->heap) != state->return_epoch)) fh_return_step(state);
}

void fh_chunk_free(struct fh_state *state, void *pointer, uint32_t entry, size_t usable_bytes)
{
    if (!state || !fh_chunk_keep(state, pointer, usable_bytes)) fh_chunk_release(state, pointer, entry);
}

void fh_chunk_free_plainly(struct fh_state *state, void *pointer, uint32_t entry)
{
    if (FH_LIKELY(fh_chunk_keep(state, pointer, fh_chunk_check(pointer, entry)))) return;
    fh_sampling_freed(pointer);
    fh_chunk_release(state, pointer, entry);
}

void fh_chunk_give_back(struct fh_state *state, void *pointer)
{
    state->chunk_bytes -= usable_of(pointer);
    fh_heap_free(fh_heaps_get(fh_entry_owner(fh_pagemap_get(pointer))), pointer);
}
