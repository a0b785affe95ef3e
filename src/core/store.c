/*
 * store.c - how much a thread's store of medium blocks (cache/medium.h) may hold: it learns.
 *
 * Layer: core. Every thread may keep what the option says. A request that finds nothing, though a block for it was
 * refused a short while ago, is a reason to keep more: as much more as the request is. The heap lends that, a part of
 * what it has in use, to all of its threads together. What gives nothing from one look to the next goes back, and with
 * it the right to keep as much; all of it goes when the store is emptied.
 *
 * The store must not make the heap larger. Before memory is touched for the first time, it gives back what the request
 * may be cut from: blocks too small for it, whose neighbours may be free, and larger ones that nobody has asked for
 * lately. Larger ones that are asked for stay whole: if each small request cut one up, the next large one would take
 * new memory.
 */
#include "core.h"
#include "limit.h"
#include "state.h"

enum {
    LENT_SHARE = 4,     /* a heap lends one part in so many of what is in use, */
    LENT_MOST = 8 << 20 /* and so much to a thread, at most */
};
#define ALL_BINS (~(uint64_t)0)

/* What a heap may have lent to all of its threads; nothing while memory is short. */
static size_t lendable(const struct fh_heap *heap)
{
    return fh_limit_urgency() ? 0 : fh_load_relaxed(&heap->used_bytes) / LENT_SHARE;
}

static size_t lent_to(const struct fh_medium *medium) { return medium->most_bytes - medium->base_bytes; }

static void repay(struct fh_state *state, size_t bytes)
{
    bytes = fh_min(bytes, lent_to(&state->medium));
    if (!bytes) return;
    state->medium.most_bytes -= bytes;
    fh_fetch_sub_relaxed(&state->heap->lent_bytes, bytes);
}

static void borrow(struct fh_state *state, size_t bytes)
{
    struct fh_heap *heap = state->heap;
    if (state->medium.base_bytes == 0 || lent_to(&state->medium) + bytes > LENT_MOST) return;
    if (fh_load_relaxed(&heap->lent_bytes) + bytes > lendable(heap)) return;
    fh_fetch_add_relaxed(&heap->lent_bytes, bytes);
    state->medium.most_bytes += bytes;
}

void fh_chunk_store_forget_loan(struct fh_state *state)
{
    repay(state, fh_min(lent_to(&state->medium), fh_load_relaxed(&state->heap->lent_bytes)));
}

/* Blocks of these bins go back until no more than so many bytes are held. */
static void give_back(struct fh_state *state, uint64_t bins, size_t until_bytes)
{
    struct fh_medium *medium = &state->medium;
    while (medium->bytes > until_bytes) {
        void *pointer = fh_medium_take_any(medium, bins);
        if (!pointer) break;
        fh_chunk_give_back(state, pointer);
    }
    fh_chunk_store_publish(state);
}

void fh_chunk_store_note_miss(struct fh_state *state, size_t request_bytes)
{
    if (FH_UNLIKELY(state->medium.refused) && fh_medium_was_refused(&state->medium, request_bytes))
        borrow(state, request_bytes);
}

static void begin_window(struct fh_medium *medium)
{
    medium->given = medium->refused = 0;
    medium->until_look = FH_MEDIUM_WINDOW;
}

void fh_chunk_store_look(struct fh_state *state)
{
    struct fh_medium *medium = &state->medium;
    size_t before = medium->bytes;
    give_back(state, ~medium->given, 0);
    repay(state, before - medium->bytes);
    size_t lent = fh_load_relaxed(&state->heap->lent_bytes), most = lendable(state->heap);
    if (lent > most) { /* the heap has shrunk since then */
        repay(state, lent - most);
        give_back(state, ALL_BINS, medium->most_bytes);
    }
    begin_window(medium);
}

void fh_chunk_store_empty(struct fh_state *state)
{
    give_back(state, ALL_BINS, 0);
    repay(state, SIZE_MAX);
    begin_window(&state->medium);
}

void *fh_chunk_store_alloc(struct fh_state *state, size_t request_bytes, size_t alignment)
{
    void *pointer = fh_heap_alloc_touched(state->heap, request_bytes, alignment);
    if (pointer) return pointer;
    size_t extent = request_bytes + (alignment > FH_ALIGNMENT ? alignment : 0);
    give_back(state, ~(fh_medium_larger(&state->medium, extent) & state->medium.given), 0);
    repay(state, lent_to(&state->medium) / 2); /* it grows again if it is worth it */
    return fh_heap_alloc_touched(state->heap, request_bytes, alignment);
}
