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
    DENSITIES = 8,       /* steps in which the slabs of a class are told apart, */
    HEIGHTS = 32,        /* and in which their places are */
    WASTEFUL = 16,       /* a slab of which a larger part can hold nothing is the first to leave */
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
    FH_EACH_CLASS(size)
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
/* A small slab, or a piece of one that was cut up, holds few large objects beside its header: as good as empty. */
static size_t density_of(const struct fh_slab *slab)
{
    size_t bytes = fh_slab_span(slab), unused = bytes - (size_t)slab->capacity * slab->class_bytes;
    return unused > bytes / WASTEFUL ? 0 : live_of(slab) * (DENSITIES - 1) / slab->capacity;
}

static void leave(struct fh_state *state, struct fh_slab *slab)
{
    fh_list_remove(&slab->link);
    fh_list_push_front(leaving_of(state, slab->class_bytes), &slab->link);
    slab->is_leaving = 1;
}

/* Those with live objects of a density from `least` to `most`, `from` some address on, leave if they have no more room
 * than is left; what is left then. */
static size_t let_leave(struct fh_state *state, struct fh_list *usable, size_t least, size_t most, uintptr_t from,
                        size_t room)
{
    for (struct fh_list *link = usable->next, *next; link != usable; link = next) {
        struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
        size_t density = density_of(slab);
        next = link->next;
        bool is_meant = live_of(slab) && density >= least && density <= most && (uintptr_t)slab >= from;
        if (!is_meant || slab->capacity > room) continue;
        room -= slab->capacity;
        leave(state, slab);
    }
    return room;
}

/*
 * Slabs leave, the sparsest first, as long as their whole capacity is less than what is free in the class: what is live
 * in them then fits the free places of those that stay. Of those that are alike the higher ones leave, so that what
 * stays of several classes is neighbours, with no free chunks between. At the end small ones leave that are denser, or
 * a large one's worth of places would be left in each class.
 */
static void let_sparse_leave(struct fh_state *state, size_t class_bytes)
{
    size_t by_density[DENSITIES] = {0}, unused = 0, limit = 0;
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    struct fh_list *usable = &fh_slab_class_of(&state->slabs, class_bytes)->usable;
    for (struct fh_list *link = usable->next; link != usable; link = link->next) {
        const struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
        unused += slab->capacity - live_of(slab);
        if (live_of(slab)) by_density[density_of(slab)] += slab->capacity;
        lowest = fh_min(lowest, (uintptr_t)slab);
        highest = fh_max(highest, (uintptr_t)slab);
    }
    for (size_t sum = 0; limit < DENSITIES && (sum += by_density[limit]) <= unused;) limit++;
    size_t left = unused;
    if (limit > 0) left = let_leave(state, usable, 0, limit - 1, 0, left);
    for (size_t part = HEIGHTS; limit < DENSITIES && part-- > 0;)
        left = let_leave(state, usable, limit, limit, lowest + (highest - lowest) / HEIGHTS * part, left);
    left = let_leave(state, usable, limit + 1, DENSITIES, 0, left);
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
    size_t usable = fh_core_usable(pointer);
    void *moved = fh_core_malloc(usable);
    if (!moved) return NULL;
    FH_ASSERT(fh_core_usable(moved) >= usable);
    memcpy(moved, pointer, usable);
    fh_core_free(pointer);
    return moved;
}
