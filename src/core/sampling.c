/*
 * sampling.c - see sampling.h.
 *
 * Layer: core. Owns the mode. No locks: what is counted belongs to a thread.
 */
#include "sampling.h"

#include "core.h"
#include "guard.h"
#include "options.h"
#include "os.h"
#include "pagemap.h"
#include "poisson.h"
#include "state.h"
#include "wholesale.h"

FH_BESIDE_DATA struct fh_sampling_mode fh_sampling_mode;
uint32_t fh_sampling_marks[FH_SAMPLING_MARKS];

void fh_sampling_start(void)
{
    fh_store_release(&fh_sampling_mode.on, 1);
    fh_state_apply_options();
    fh_fetch_add_relaxed(&fh_trim_epoch, 1); /* threads that run already follow at their next slow step */
}

double fh_sampling_weight(size_t usable_bytes)
{
    uint64_t interval = fh_sampling_mode.interval_bytes;
    return interval ? 1 / fh_one_less_exp((double)usable_bytes / (double)interval) : 0;
}

/* Bytes until the next point of the process. */
static double draw_bytes(struct fh_sampling *sampling)
{
    uint64_t interval = fh_sampling_mode.interval_bytes;
    return interval ? fh_random_exponential(&sampling->random, (double)interval) : 0x1p62;
}

/* Blocks of a class that fit before it: none with the probability that the first is chosen. */
static uint32_t draw_blocks(struct fh_sampling *sampling, size_t class_bytes)
{
    double blocks = draw_bytes(sampling) / (double)class_bytes;
    return blocks < UINT32_MAX - 1 ? (uint32_t)blocks : UINT32_MAX - 1;
}

#define SAMPLING_BYTES fh_align_up(sizeof(struct fh_sampling), fh_max(fh_os_page_size(), 4096))

bool fh_sampling_begin(struct fh_state *state)
{
    /* Under perturb every call must come the slow way, frees too: nothing is set aside, and nothing counted. */
    if (fh_load_relaxed(&fh_options.perturb)) return false;
    if (!state->sampling) {
        struct fh_sampling *made = fh_wholesale_map_own(SAMPLING_BYTES);
        if (!made) return false;
        fh_fetch_add_relaxed(&fh_wholesale.state_bytes, SAMPLING_BYTES);
        uint64_t seed = fh_sampling_mode.seed;
        if (!seed) fh_os_random(&seed, sizeof seed);
        made->random = seed + ((uint64_t)state->id << 32);
        made->bytes_left = (uint64_t)draw_bytes(made);
        FH_EACH_CLASS(size)
            made->blocks_left[size / FH_ALIGNMENT] = draw_blocks(made, size);
        state->sampling = made;
    }
    struct fh_sampling *sampling = state->sampling;
    sampling->capacity_bytes = fh_load_relaxed(&fh_options.cache_bytes);
    for (size_t i = 0; i < FH_CLASS_COUNT; i++) {
        sampling->capacity[i] = (uint32_t)fh_cache_capacity(fh_max(i, 1) * FH_ALIGNMENT, sampling->capacity_bytes);
    }
    fh_cache_set_aside(&state->cache, sampling->capacity_bytes);
    return true;
}

/* One block of the class: is it the chosen one? */
static bool count_block(struct fh_sampling *sampling, size_t class_bytes)
{
    uint32_t *left = &sampling->blocks_left[class_bytes / FH_ALIGNMENT];
    if ((*left)-- > 0) return false;
    *left = draw_blocks(sampling, class_bytes);
    return fh_sampling_mode.interval_bytes != 0;
}

/* How many blocks may be put where malloc pops them without being seen. */
static uint32_t most_unseen(const struct fh_sampling *sampling, size_t class_bytes)
{
    uint32_t left = sampling->blocks_left[class_bytes / FH_ALIGNMENT];
    return fh_sampling_mode.all ? fh_min(left, 1) : left;
}

/* What other threads have freed joins what this one has. */
static void drain_inbox(struct fh_state *state)
{
    if (!fh_load_relaxed(&state->inbox)) return;
    size_t count = 0, bytes = 0;
    for (void *list = fh_exchange_acquire(&state->inbox, NULL), *block = list; block; block = list) {
        uint32_t entry = fh_pagemap_get(block);
        size_t class_bytes = entry & FH_ENTRY_SIZE_MASK;
        if (FH_UNLIKELY(!fh_guard_follow(block, &list)))
            fh_fault(FH_FAULT_DAMAGED_LINK, block, class_bytes, (struct fh_place){"a slab", 0, -1});
        if (FH_LIKELY(class_bytes >= FH_AHEAD_LEAST)) fh_ahead_fetch(block);
        fh_small_free(state, block, entry);
        count++;
        bytes += class_bytes;
    }
    fh_fetch_sub_relaxed(&fh_transit_objects, count);
    fh_fetch_sub_relaxed(&fh_transit_bytes, bytes);
}

/* All that was freed goes to where malloc pops it, where there is nothing. */
static void move_freed(struct fh_cache_bin *bin, struct fh_cache_bin *freed, uint32_t held)
{
    bin->head = freed->head;
    bin->room -= (int32_t)held;
    freed->head = NULL;
    freed->room += (int32_t)held;
}

/* A program that frees and allocates by turns would come again for every block, so there are some more if slabs have
 * them at hand; from then on it is as many each time. Not many: they are in the processor's nearest cache then. */
enum { ENOUGH = 16 };

static uint32_t refill_from_freed(struct fh_state *state, size_t class_bytes, uint32_t most)
{
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    struct fh_cache_bin *freed = fh_cache_free_bin(&state->cache, class_bytes);
    uint32_t capacity = state->sampling->capacity[class_bytes / FH_ALIGNMENT];
    uint32_t held = capacity - (uint32_t)freed->room, count = 0, enough = fh_min(fh_min(ENOUGH, capacity), most);
    FH_ASSERT(held <= capacity);
    if (held <= most) {
        move_freed(bin, freed, held);
        count = held;
    }
    for (; freed->head && count < most; count++) fh_cache_put(bin, fh_cache_take_checked(freed, class_bytes));
    struct fh_list *usable = &fh_slab_class_of(&state->slabs, class_bytes)->usable;
    for (; count < enough && !fh_list_is_empty(usable); count++)
        fh_cache_put(bin, fh_slab_take_one(FH_CONTAINER(usable->next, struct fh_slab, link)));
    return count;
}

/* Up to `most` blocks for malloc to pop, of which there are none: from what was freed, or from slabs. */
static void refill_small(struct fh_state *state, size_t class_bytes, uint32_t most)
{
    struct fh_cache_bin *freed = fh_cache_free_bin(&state->cache, class_bytes);
    if (!freed->head && fh_list_is_empty(&fh_slab_class_of(&state->slabs, class_bytes)->usable)) drain_inbox(state);
    fh_small_end_run(state, class_bytes); /* its room is given back, and it may be this slab's list that is taken now */
    state->sampling->blocks_left[class_bytes / FH_ALIGNMENT] -=
        freed->head ? refill_from_freed(state, class_bytes, most) : fh_small_refill(state, class_bytes, most);
    fh_sampling_publish_class(state, class_bytes);
}

static void *alloc_small(struct fh_state *state, size_t class_bytes, size_t alignment, bool *zeroed, bool *chosen)
{
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    if (!bin->head) {
        uint32_t most = most_unseen(state->sampling, class_bytes);
        if (most == 0) {
            *chosen = count_block(state->sampling, class_bytes);
            return fh_chunk_alloc(state, class_bytes, alignment, zeroed);
        }
        refill_small(state, class_bytes, most);
        if (!bin->head) return NULL;
    }
    return fh_cache_take_checked(bin, class_bytes);
}

void *fh_sampling_alloc(struct fh_state *state, size_t request_bytes, size_t alignment, bool *zeroed,
                        struct fh_sampling_choice *choice)
{
    *zeroed = false;
    if (!fh_is_small_aligned(request_bytes, alignment)) return NULL;
    size_t class_bytes = fh_class_size_aligned(request_bytes, alignment);
    void *pointer = alloc_small(state, class_bytes, alignment, zeroed, &choice->chosen);
    if (pointer && (choice->chosen || fh_sampling_mode.all)) choice->usable_bytes = class_bytes;
    return pointer;
}

/* --- The short way. --- */

/* Straight from the thread's heap; NULL when it takes more than that. */
static void *alloc_from_own_heap(struct fh_state *state, size_t request_bytes, bool *zeroed)
{
    return state->moves.on ? NULL : fh_heap_alloc(state->heap, request_bytes, FH_ALIGNMENT, zeroed);
}

static void *take_small(struct fh_state *state, struct fh_cache_bin *bin, size_t class_bytes)
{
    struct fh_cache_bin *freed = fh_cache_free_bin(&state->cache, class_bytes);
    size_t i = class_bytes / FH_ALIGNMENT;
    uint32_t *left = &state->sampling->blocks_left[i];
    fh_small_end_run(state, class_bytes);
    uint32_t held = state->sampling->capacity[i] - (uint32_t)freed->room;
    if (FH_LIKELY(held >= ENOUGH && held <= *left)) {
        move_freed(bin, freed, held);
        *left -= held;
    } else if (*left) {
        refill_small(state, class_bytes, *left);
    }
    return FH_LIKELY(bin->head != NULL) ? fh_cache_take_checked(bin, class_bytes) : NULL;
}

/* Beyond 1 KiB; counted when it is known how large it is. */
static void *take_medium(struct fh_state *state, size_t request_bytes, bool *zeroed)
{
    void *block = fh_chunk_take_kept(state, request_bytes, FH_ALIGNMENT);
    if (!block && request_bytes < FH_MMAP_THRESHOLD_START &&
        request_bytes < fh_load_relaxed(&fh_options.mmap_threshold)) /* a learned one is never lower */
        block = alloc_from_own_heap(state, request_bytes, zeroed);
    if (!block) return NULL;
    struct fh_sampling_choice choice = {0};
    fh_sampling_count(state, fh_chunk_size(fh_chunk_read(fh_chunk_of(block))) - FH_CHUNK_TAG_BYTES, &choice);
    if (FH_UNLIKELY(choice.chosen)) fh_sampling_report(block, choice.usable_bytes, true);
    return block;
}

void *fh_sampling_take(size_t request_bytes, bool *zeroed)
{
    struct fh_state *state = fh_state_if_sampled();
    *zeroed = false;
    if (!state || fh_sampling_mode.all) return NULL;
    if (request_bytes > FH_SMALL_MOST) return take_medium(state, request_bytes, zeroed);
    size_t class_bytes = fh_class_size(fh_max(request_bytes, 1));
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    if (bin->head) return fh_cache_take_checked(bin, class_bytes); /* realloc comes here without a look at the bin */
    return take_small(state, bin, class_bytes);
}

void fh_sampling_count(struct fh_state *state, size_t usable_bytes, struct fh_sampling_choice *choice)
{
    struct fh_sampling *sampling = state->sampling;
    choice->chosen = usable_bytes > sampling->bytes_left;
    if (choice->chosen) sampling->bytes_left = (uint64_t)draw_bytes(sampling);
    else sampling->bytes_left -= usable_bytes;
    if (choice->chosen || fh_sampling_mode.all) choice->usable_bytes = usable_bytes;
}

void fh_sampling_report(void *pointer, size_t usable_bytes, bool chosen)
{
    if (chosen) fh_fetch_add_relaxed(fh_sampling_mark_of(pointer), 1); /* before anybody else can know of it */
    fh_sampling_mode.taken(pointer, usable_bytes, chosen);
}

void fh_sampling_forget(void *pointer)
{
    if (fh_sampling_mode.freed(pointer)) fh_fetch_sub_relaxed(fh_sampling_mark_of(pointer), 1);
}

void fh_sampling_count_again(void *pointer)
{
    struct fh_state *state = fh_state_enter();
    struct fh_sampling_choice choice = {0};
    if (state && fh_state_is_sampled(state)) fh_sampling_count(state, fh_core_usable(pointer), &choice);
    fh_state_leave(state);
    if (choice.usable_bytes) fh_sampling_report(pointer, choice.usable_bytes, choice.chosen);
}

void fh_sampling_publish_class(struct fh_state *state, size_t class_bytes)
{
    size_t i = class_bytes / FH_ALIGNMENT;
    int32_t unpopped = -fh_cache_bin_of(&state->cache, class_bytes)->room;
    int32_t freed = (int32_t)state->sampling->capacity[i] - fh_cache_free_bin(&state->cache, class_bytes)->room;
    fh_store_relaxed(&state->published.cached[i], (uint32_t)(unpopped + freed));
}

void fh_sampling_publish(struct fh_state *state)
{
    FH_EACH_CLASS(size)
        fh_sampling_publish_class(state, size);
}

void fh_sampling_flush(struct fh_state *state)
{
    struct fh_sampling *sampling = state->sampling;
    FH_EACH_CLASS(size) {
        size_t i = size / FH_ALIGNMENT;
        uint32_t unused = (uint32_t)-fh_cache_bin_of(&state->cache, size)->room;
        sampling->blocks_left[i] += (uint32_t)fh_min(unused, UINT32_MAX - 1 - sampling->blocks_left[i]);
    }
}
