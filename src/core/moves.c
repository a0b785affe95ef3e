/*
 * moves.c - see moves.h: which slabs leave, and what a thread that moves blocks does otherwise.
 *
 * Layer: core.
 */
#include "moves.h"

#include <string.h>

#include "core.h"
#include "pagemap.h"
#include "state.h"

enum {
    DENSITIES = 64,      /* steps in which the slabs of a class are told apart */
    WORTH_IT = 32 << 10, /* free bytes of a class beyond those known, and */
    WORTH_SHARE = 16,    /* this part of it at least, or its slabs stay */
    CACHE_BYTES = 16,    /* capacity of the cache meanwhile: next to nothing, but not off */
    QUIET_STEPS_MOST = 4096
};

void fh_moves_init(struct fh_moves *moves)
{
    *moves = (struct fh_moves){.on = false};
    for (int i = 0; i < FH_CLASS_COUNT; i++) fh_list_init(&moves->leaving[i]);
}

static struct fh_list *leaving_of(struct fh_state *state, size_t class_bytes)
{
    return &state->moves.leaving[class_bytes / FH_ALIGNMENT];
}

static void begin(struct fh_state *state)
{
    struct fh_moves *moves = &state->moves;
    if (moves->on) return;
    moves->on = true;
    fh_state_flush(state);
    moves->cache_bytes = state->cache_bytes;
    moves->medium_bytes = state->medium.base_bytes;
    if (state->cache_bytes == 0) return; /* off, or frees are set aside: as it is */
    fh_state_set_cache_bytes(state, CACHE_BYTES);
    state->medium.most_bytes = state->medium.base_bytes = 0;
}

static struct fh_slab *stay(struct fh_list *link)
{
    struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
    fh_list_remove(link);
    slab->is_leaving = 0;
    fh_list_push_front(&slab->class->usable, link);
    return slab;
}

void fh_moves_end(struct fh_state *state)
{
    struct fh_moves *moves = &state->moves;
    if (!moves->on) return;
    moves->on = false;
    for (size_t size = FH_ALIGNMENT; size <= FH_SMALL_MOST; size += FH_ALIGNMENT)
        while (!fh_list_is_empty(leaving_of(state, size))) stay(leaving_of(state, size)->next);
    if (state->cache_bytes != CACHE_BYTES) return; /* somebody has set it since */
    fh_state_set_cache_bytes(state, moves->cache_bytes);
    state->medium.most_bytes = state->medium.base_bytes = moves->medium_bytes;
}

void fh_moves_step(struct fh_state *state)
{
    if (++state->moves.quiet_steps > QUIET_STEPS_MOST) fh_moves_end(state);
}

struct fh_slab *fh_moves_take_back(struct fh_state *state, size_t class_bytes)
{
    struct fh_list *leaving = leaving_of(state, class_bytes);
    return fh_list_is_empty(leaving) ? NULL : stay(leaving->prev);
}

static size_t live_of(const struct fh_slab *slab) { return (size_t)slab->carved - slab->free_count; }
static size_t density_of(const struct fh_slab *slab) { return live_of(slab) * (DENSITIES - 1) / slab->capacity; }

/*
 * Slabs leave, the sparsest first, as long as their whole capacity is less than what is free in the class: what is live
 * in them then fits the free places of those that stay. Two passes over the slabs, the first counts them by density.
 */
static void let_sparse_leave(struct fh_state *state, size_t class_bytes)
{
    size_t by_density[DENSITIES] = {0}, unused = 0, limit = 0;
    struct fh_list *usable = &fh_slab_class_of(&state->slabs, class_bytes)->usable, *link, *next;
    for (link = usable->next; link != usable; link = link->next) {
        const struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
        unused += slab->capacity - live_of(slab);
        if (live_of(slab)) by_density[density_of(slab)] += slab->capacity;
    }
    size_t budget = unused;
    while (limit < DENSITIES && by_density[limit] <= budget) budget -= by_density[limit++];
    size_t partly = budget, left = unused;
    for (link = usable->next; link != usable; link = next) {
        struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
        next = link->next;
        size_t density = density_of(slab);
        if (!live_of(slab) || density > limit || (density == limit && slab->capacity > partly)) continue;
        if (density == limit) partly -= slab->capacity;
        left -= slab->capacity;
        fh_list_remove(link);
        fh_list_push_front(leaving_of(state, class_bytes), link);
        slab->is_leaving = 1;
    }
    state->moves.spare_bytes[class_bytes / FH_ALIGNMENT] = left * class_bytes;
}

static bool is_worth_it(struct fh_state *state, size_t class_bytes)
{
    const struct fh_slab_class *class = fh_slab_class_of(&state->slabs, class_bytes);
    size_t *spare = &state->moves.spare_bytes[class_bytes / FH_ALIGNMENT];
    size_t unused = (class->capacity - class->carved + class->listed) * class_bytes;
    *spare = fh_min(*spare, unused);
    return unused - *spare >= fh_max(WORTH_IT, class->capacity * class_bytes / WORTH_SHARE);
}

static bool object_should_move(struct fh_state *state, void *object, uint32_t entry)
{
    size_t class_bytes = entry & FH_ENTRY_SIZE_MASK;
    if (fh_entry_owner(entry) != state->id) return false;
    if (fh_list_is_empty(leaving_of(state, class_bytes))) {
        if (!is_worth_it(state, class_bytes)) return false;
        if (state->moves.on) fh_state_flush(state);
        begin(state);
        let_sparse_leave(state, class_bytes);
    }
    state->moves.quiet_steps = 0;
    return fh_slab_of(object, entry)->is_leaving;
}

static bool chunk_should_move(struct fh_state *state, const void *block, uint32_t entry)
{
    if (!fh_heap_is_sparse_around(fh_heaps_get(fh_entry_owner(entry)), block, state->moves.on)) return false;
    begin(state);
    state->moves.quiet_steps = 0;
    return true;
}

bool fh_moves_should_move(struct fh_state *state, void *pointer)
{
    fh_core_usable(pointer);
    uint32_t entry = fh_pagemap_get(pointer);
    switch (fh_entry_kind(entry)) {
    case FH_PAGE_SLAB: return object_should_move(state, pointer, entry);
    case FH_PAGE_HEAP: return chunk_should_move(state, pointer, entry);
    default: return false; /* a mapping of its own */
    }
}

void *fh_moves_move(struct fh_state *state, void *pointer)
{
    if (!fh_moves_should_move(state, pointer)) return NULL;
    size_t usable = fh_core_usable(pointer), class_bytes = fh_align_down(usable, FH_ALIGNMENT);
    /* Of the same class: above FH_SMALL_MOST, a class's blocks have 8 bytes more than it is called by. */
    bool has_class = class_bytes > FH_SMALL_MOST && class_bytes <= FH_CACHED_MOST;
    void *moved = fh_core_malloc(has_class ? class_bytes : usable);
    if (!moved) return NULL;
    FH_ASSERT(fh_core_usable(moved) >= usable);
    memcpy(moved, pointer, usable);
    fh_core_free(pointer);
    return moved;
}
