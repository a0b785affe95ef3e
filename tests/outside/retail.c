/*
 * retail.c - R1, R2, R5 and R6's other half: free chunks are found, split and joined without the kernel's help.
 *
 * The blocks are larger than 32 KiB, so that no thread cache keeps them, and smaller than the mmap threshold. Each
 * program looks at the heap with fh_walk; the judge sees that no system call was made meanwhile.
 */
#define _GNU_SOURCE
#include "levels.h"

#include "mark.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define DEFECTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_FAULT {.only_number = -1}

enum { HOLES = 32, HEADER = 8 };

/*
 * Blocks one above the other in a row: taken from a heap whose holes are too small, they lie side by side.
 * False where they do not (a thread cache or a bin gave something else), which voids the test.
 */
static bool take_row(struct held *row, size_t count, size_t size)
{
    bool adjacent = true;

    for (size_t i = 0; i < count; i++) {
        EXPECT(hold(&row[i], size), "malloc of %zu gave NULL", size);
        if (i > 0) {
            adjacent &= row[i].address == row[i - 1].address + malloc_usable_size(row[i - 1].address) + HEADER;
        }
    }
    return adjacent;
}

static bool judge_no_calls(const struct trace *trace)
{
    unsigned calls = memory_calls(trace, MARK_BEGIN, MARK_END - 1);

    return judged(calls == 0, "%u system calls, though the heap had what was asked for", calls);
}

static struct held holes[HOLES], guards[HOLES], again[HOLES];
static uintptr_t hole_start[HOLES];
static size_t hole_usable[HOLES];

static size_t hole_size(size_t i)
{
    return 40000 + 1600 * i;
}

/* Frees what fills the holes; each must then be a free block of the walk. */
static void open_holes(struct held *filled)
{
    for (size_t i = 0; i < HOLES; i++) {
        drop(&filled[i]);
    }
    malloc_trim(0); /* of what the thread would keep */
    for (size_t i = 0; i < HOLES; i++) {
        const struct fh_block *hole = block_at((void *)hole_start[i]);
        EXPECT(hole != NULL && hole->state == FH_STATE_FREE && hole->size_bytes >= hole_usable[i],
               "hole %zu of %zu bytes is not a free block of the walk", i, hole_usable[i]);
    }
}

/* Takes `size` bytes, which must come from one of the holes. */
static void take_from_hole(struct held *held, size_t size)
{
    EXPECT(hold(held, size), "malloc gave NULL");
    const struct fh_block *taken = block_at(held->address);
    EXPECT(taken != NULL && taken->state == FH_STATE_LIVE && taken->size_bytes >= size,
           "the walk does not show the live block of %zu bytes", size);
    for (size_t i = 0; i < HOLES; i++) {
        if (taken->address >= hole_start[i] && taken->address < hole_start[i] + hole_usable[i]) {
            EXPECT(taken->address + size <= hole_start[i] + hole_usable[i], "%zu bytes do not fit hole %zu", size, i);
            return;
        }
    }
    fail("%zu bytes were not taken from a hole, though one was large enough", size);
}

/*
 * R1: holes of many sizes. First the requests that fill them exactly, the largest first, so that each has one hole that
 * fits and no other; then smaller requests, which any hole can serve.
 */
static void reuse_holes(void)
{
    for (size_t i = 0; i < HOLES; i++) {
        EXPECT(hold(&holes[i], hole_size(i)) && hold(&guards[i], 33000), "malloc gave NULL");
        hole_start[i] = (uintptr_t)holes[i].address;
        hole_usable[i] = malloc_usable_size(holes[i].address);
    }
    open_holes(holes);
    mark(MARK_BEGIN);
    for (size_t i = HOLES; i-- > 0;) {
        take_from_hole(&again[i], hole_size(i));
    }
    mark(MARK_END);
    open_holes(again);
    mark(MARK_BEGIN);
    for (size_t i = 0; i < HOLES; i++) {
        take_from_hole(&again[i], 33500 + 16 * (i * 13 % HOLES));
    }
    mark(MARK_END);
    for (size_t i = 0; i < HOLES; i++) {
        drop(&again[i]);
        drop(&guards[i]);
    }
}

/* R2: a hole of 120,000 bytes serves 40,000, and what is left over serves 70,000. */
static void split_hole(void)
{
    struct held row[3], first, second;

    EXPECT(take_row(row, 3, 40000), "the heap does not begin with neighbours");
    struct held hole, guard;
    EXPECT(hold(&hole, 120000) && hold(&guard, 40000), "malloc gave NULL");
    uintptr_t start = (uintptr_t)hole.address;
    size_t usable = malloc_usable_size(hole.address);
    drop(&hole);

    mark(MARK_BEGIN);
    EXPECT(hold(&first, 40000), "malloc gave NULL");
    EXPECT((uintptr_t)first.address == start, "40000 bytes were not taken from the hole's beginning");
    const struct fh_block *taken = block_at(first.address);
    EXPECT(taken != NULL && taken->size_bytes < 40000 + 64, "the whole hole was handed out");
    const struct fh_block *rest = block_after(taken);
    EXPECT(rest != NULL && rest->state == FH_STATE_FREE, "the remainder is not a free block");
    EXPECT(rest->address == taken->address + taken->size_bytes + HEADER, "the remainder does not follow at once");
    EXPECT(rest->address + rest->size_bytes == start + usable, "the remainder does not end where the hole ended");
    uintptr_t rest_address = rest->address;
    EXPECT(hold(&second, 70000), "malloc gave NULL");
    EXPECT((uintptr_t)second.address == rest_address, "70000 bytes were not taken from the remainder");
    mark(MARK_END);
    expect_sound("after the split");
    drop(&first);
    drop(&second);
    drop(&guard);
    for (int i = 0; i < 3; i++) {
        drop(&row[i]);
    }
}

/* R5: three neighbours freed in every order end as one free block, and at each step no two free ones are neighbours. */
static void free_in_order(const int *order)
{
    enum { SIZE = 40000 };
    struct held row[5]; /* 0 and 4 are the guards */
    bool adjacent = take_row(row, 5, SIZE);
    uintptr_t start = (uintptr_t)row[1].address;
    size_t whole = (size_t)((uintptr_t)row[4].address - HEADER - start);

    EXPECT(adjacent, "the blocks are no neighbours");
    mark(MARK_BEGIN);
    for (int i = 0; i < 3; i++) {
        uintptr_t freed = (uintptr_t)row[order[i]].address;
        drop(&row[order[i]]);
        const struct fh_block *block = block_around((void *)freed);
        EXPECT(block != NULL && block->state == FH_STATE_FREE, "the freed block is not free");
        const struct fh_block *before = block_before(block);
        const struct fh_block *after = block_after(block);
        EXPECT(before == NULL || before->state != FH_STATE_FREE || before->heap != block->heap ||
                   before->address + before->size_bytes + HEADER != block->address,
               "two free blocks are neighbours (below)");
        EXPECT(after == NULL || after->state == FH_STATE_LIVE || after->state == FH_STATE_CACHED ||
                   block->address + block->size_bytes + HEADER != after->address,
               "two free blocks are neighbours (above)");
    }
    const struct fh_block *all = block_at((void *)start);
    EXPECT(all != NULL && all->state == FH_STATE_FREE && all->size_bytes == whole,
           "order %d%d%d: not one free block of %zu bytes (%zu)", order[0], order[1], order[2], whole,
           all == NULL ? 0 : all->size_bytes);
    mark(MARK_END);
    drop(&row[0]);
    drop(&row[4]);
}

static void join_neighbours(void)
{
    static const int orders[6][3] = {{1, 3, 2}, {3, 1, 2}, {1, 2, 3}, {3, 2, 1}, {2, 1, 3}, {2, 3, 1}};

    for (int i = 0; i < 6; i++) {
        free_in_order(orders[i]);
        expect_sound("after coalescing");
    }
}

/* The same with blocks that a thread's cache takes first: when it is flushed they are one free block. */
static void join_cached_neighbours(void)
{
    struct held row[5];

    EXPECT(take_row(row, 5, 2000), "the blocks are no neighbours");
    uintptr_t start = (uintptr_t)row[1].address;
    size_t whole = (size_t)((uintptr_t)row[4].address - HEADER - start);
    drop(&row[1]);
    drop(&row[3]);
    drop(&row[2]);
    mark(MARK_END); /* trimming may call the kernel */
    flush_cache();
    const struct fh_block *all = block_at((void *)start);
    EXPECT(all != NULL && all->state == FH_STATE_FREE && all->size_bytes == whole, "not one free block of %zu bytes",
           whole);
    drop(&row[0]);
    drop(&row[4]);
}

const struct level_test retail_tests[] = {
    {"r1_free_chunk_found", reuse_holes, judge_no_calls, DEFECTS("never_reuse", "forget_when_large"), NO_FAULT, true},
    {"r2_split_remainder_reused", split_hole, judge_no_calls, DEFECTS("no_split", "lose_remainder"), NO_FAULT, true},
    {"r5_coalesces_with_both_neighbours", join_neighbours, judge_no_calls,
     DEFECTS("no_coalesce_below", "no_coalesce_above"), NO_FAULT, true},
    {"r5_cached_blocks_coalesce_when_flushed", join_cached_neighbours, judge_no_calls,
     DEFECTS("no_coalesce_below", "no_coalesce_above"), NO_FAULT, true},
    {NULL, NULL, NULL, NULL, NO_FAULT, false},
};
