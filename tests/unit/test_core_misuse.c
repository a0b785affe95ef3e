/*
 * test_core_misuse.c - what free says of every kind of wrong pointer: the exact lines.
 */
#include "unit.h"

#include "core.h"
#include "pagemap.h"
#include "slab.h"
#include "state.h"

static void foreign(void *pointer)
{
    unit_expect_fault(unit_free, pointer, "free of what was never ours: 0x%zx, size unknown, in no heap",
                      (size_t)pointer);
}

static void pointers_that_were_never_ours(void **state)
{
    (void)state;
    int local;
    static char object[100];
    foreign(&local);
    foreign(object);
    foreign((void *)16);
    foreign((void *)UINTPTR_MAX);
    char *block = fh_test_malloc(5000);
    foreign((void *)((uintptr_t)block | (uintptr_t)1 << 60)); /* not canonical, for all that its lower bits are ours */
    foreign(fake_break() + 4096);
    char *theirs = fake_foreign_map(fake_leaf_border(), 4096);
    foreign(theirs);
    char *large = fh_test_malloc(300000);
    fh_test_free(large);
    foreign(large); /* it went back to the kernel */
    foreign(fh_heaps_get(0)->top ? (char *)fh_heaps_get(0)->growing + fh_heaps_get(0)->growing->size : NULL);
}

static void small_blocks(void **state)
{
    (void)state;
    char *block = fh_test_malloc(64), *other = fh_test_malloc(64);
    struct fh_slab *slab = fh_slab_of(block, fh_pagemap_get(block));
    size_t at = (size_t)slab;
    unit_expect_fault(unit_free, block + 16,
                      "free of the inside of a block: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0",
                      (size_t)block + 16, at);
    unit_expect_fault(unit_free, block + 1,
                      "free of the inside of a block: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block + 1,
                      at);
    unit_expect_fault(unit_free, (char *)slab + 8,
                      "free of what was never ours: 0x%zx, size unknown, in a slab at 0x%zx of heap 0", at + 8, at);
    fh_test_free(block);
    unit_expect_fault(unit_free, block, "double free: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block,
                      at);
    fh_test_free(other);
    unit_expect_fault(unit_free, block, "double free: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block,
                      at);
    fh_small_flush_cache(fh_state_self()); /* now on the slab's own list */
    unit_expect_fault(unit_free, block, "double free: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block,
                      at);
}

static void medium_blocks(void **state)
{
    (void)state;
    char *block = fh_test_malloc(5000), *end = fh_test_malloc(5000);
    size_t usable = fh_test_malloc_usable_size(block);
    unit_expect_fault(unit_free, block + 48,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a chunk at 0x%zx of heap 0",
                      (size_t)block + 48, usable, (size_t)block);
    fh_test_free(block);
    unit_expect_fault(unit_free, block, "double free: 0x%zx, %zu bytes, in a chunk of heap 0", (size_t)block, usable);
    ((uint64_t *)(void *)end)[-1] ^= 1 << 20;
    unit_expect_fault(unit_free, end, "damaged chunk header: 0x%zx, size unknown, in a chunk of heap 0", (size_t)end);
    unit_expect_fault(unit_free, end + 64, "damaged chunk header: 0x%zx, size unknown, in a chunk of heap 0",
                      (size_t)end + 64);
    unit_expect_fault(unit_free, end + 65, "free of the inside of a block: 0x%zx, size unknown, in a chunk of heap 0",
                      (size_t)end + 65);
}

static void inside_free_memory_of_a_heap(void **state)
{
    (void)state;
    char *a = fh_test_malloc(50000), *b = fh_test_malloc(50000), *end = fh_test_malloc(2000);
    fh_test_free(a);
    fh_test_free(b); /* coalesced: both are above what a thread keeps */
    unit_expect_fault(unit_free, b + 160, "double free: 0x%zx, %zu bytes, in a chunk of heap 0", (size_t)b + 160,
                      2 * (fh_test_malloc_usable_size(end) ? (size_t)50008 : 0) + 8);
    assert_true(unit_aborts(unit_free, b));
    assert_said("double free");
}

static void large_blocks(void **state)
{
    (void)state;
    char *block = fh_test_malloc(300000);
    size_t usable = fh_test_malloc_usable_size(block), at = (size_t)block;
    unit_expect_fault(unit_free, block + 4096 - 16 + 16,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a mapping at 0x%zx", at + 4096, usable, at);
    unit_expect_fault(unit_free, block + 200000,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a mapping at 0x%zx", at + 200000, usable,
                      at);
    unit_expect_fault(unit_free, block + usable - 1,
                      "free of the inside of a block: 0x%zx, %zu bytes, in a mapping at 0x%zx", at + usable - 1, usable,
                      at);
    unit_expect_fault(unit_free, block + 32, "free of the inside of a block: 0x%zx, %zu bytes, in a mapping at 0x%zx",
                      at + 32, usable, at);
    block[-1] ^= 1;
    unit_expect_fault(unit_free, block, "damaged chunk header: 0x%zx, size unknown, in a mapping", at);
    block[-1] ^= 1;
    fh_test_free(block);
    char *again = fh_test_malloc(300000);
    fh_test_free(again); /* kept */
    unit_expect_fault(unit_free, again, "double free: 0x%zx, %zu bytes, in a mapping", (size_t)again, usable);
}

/* Just beyond it: the search for a block below must not look at what is not mapped. */
static void beyond_a_large_block(void **state)
{
    (void)state;
    char *block = fh_test_malloc(300000);
    foreign(block + fh_test_malloc_usable_size(block));
}

/* Its head is damaged, and nothing is mapped below the page that the search for another head ends with. */
static void inside_a_damaged_large_block(void **state)
{
    (void)state;
    char *block = fh_test_malloc(300000);
    block[-1] ^= 1;
    unit_expect_fault(unit_free, block + 32, "damaged chunk header: 0x%zx, size unknown, in a mapping",
                      (size_t)block + 32);
}

static void realloc_it(void *pointer) { fh_test_realloc(pointer, 10); }
static void measure_it(void *pointer) { fh_test_malloc_usable_size(pointer); }

static void realloc_and_usable_size_say_the_same(void **state)
{
    (void)state;
    int local;
    char *block = fh_test_malloc(64);
    unit_action *const actions[] = {realloc_it, measure_it};
    for (int i = 0; i < 2; i++) {
        unit_expect_fault(actions[i], &local, "free of what was never ours: 0x%zx, size unknown, in no heap",
                          (size_t)&local);
        assert_true(unit_aborts(actions[i], block + 16));
        assert_said("free of the inside of a block");
    }
    fh_test_free(block);
    for (int i = 0; i < 2; i++) {
        assert_true(unit_aborts(actions[i], block));
        assert_said("double free");
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pointers_that_were_never_ours),
    cmocka_unit_test(small_blocks),
    cmocka_unit_test(medium_blocks),
    cmocka_unit_test(inside_free_memory_of_a_heap),
    cmocka_unit_test(large_blocks),
    cmocka_unit_test(beyond_a_large_block),
    cmocka_unit_test(inside_a_damaged_large_block),
    cmocka_unit_test(realloc_and_usable_size_say_the_same),
};
UNIT_GROUP(misuse);
