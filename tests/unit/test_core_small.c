/*
 * test_core_small.c - small blocks beyond the cache: refills, giving back, reserves, slabs while the heap is locked.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "pagemap.h"
#include "state.h"
#include "wholesale.h"

enum { MANY = 6000 };
static char *blocks[MANY];

static struct fh_slab_class *class_of(size_t size) { return fh_slab_class_of(&fh_state_self()->slabs, size); }

static void get_all(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        blocks[i] = fh_test_malloc(size);
        assert_non_null(blocks[i]);
        unit_fill(blocks[i], size, (unsigned)i);
    }
}
static void free_all(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        unit_assert_filled(blocks[i], size, (unsigned)i);
        fh_test_free(blocks[i]);
    }
}

static void every_class_up_and_down(void **state)
{
    (void)state;
    int count = unit_is_slow() ? 600 : 3000;
    FH_EACH_CLASS(size) {
        if (size % 48 != 16) continue; /* a third of them */
        get_all(count, size);
        assert_sound();
        free_all(count, size);
        assert_sound();
        get_all(count / 2, size);
        free_all(count / 2, size);
        fh_state_flush(fh_state_self());
        fh_small_release_empty(fh_state_self());
        assert_int_equal(class_of(size)->slabs, 0);
        assert_int_equal(class_of(size)->capacity + class_of(size)->carved + class_of(size)->listed, 0);
        assert_sound();
    }
    assert_int_equal(fh_heaps_get(0)->used_chunks, 0);
}

static void slabs_get_larger_with_the_class(void **state)
{
    (void)state;
    get_all(MANY, 64);
    bool seen[FH_SLAB_SHIFT_MOST + 1] = {false};
    for (int i = 0; i < MANY; i++) seen[fh_slab_of(blocks[i], fh_pagemap_get(blocks[i]))->shift] = true;
    for (unsigned shift = FH_SLAB_SHIFT_LEAST; shift <= FH_SLAB_SHIFT_MOST; shift++) assert_true(seen[shift]);
    assert_sound();
}

/* One small empty slab of a class may stay, so that a block that comes and goes costs no slab. */
static void the_reserve_is_one_small_slab(void **state)
{
    (void)state;
    get_all(200, 256);
    free_all(200, 256);
    fh_state_flush(fh_state_self());
    assert_true(class_of(256)->slabs <= 1);
    size_t slabs = class_of(256)->slabs;
    for (int i = 0; i < 50; i++) fh_test_free(fh_test_malloc(256));
    assert_true(class_of(256)->slabs <= slabs + 1);
    assert_sound();
}

static void a_full_cache_sends_blocks_to_their_slabs(void **state)
{
    (void)state;
    get_all(MANY, 64);
    for (int i = 0; i < MANY; i += 2) fh_test_free(blocks[i]); /* every other: no slab becomes empty */
    struct fh_state *own = fh_state_self();
    fh_state_publish(own);
    int32_t capacity = fh_cache_capacity(64, own->cache_bytes);
    assert_true(own->published.cached[4] <= (uint32_t)capacity);
    assert_true(class_of(64)->listed >= MANY / 2 - (size_t)capacity - 64);
    assert_sound();
    for (int i = 0; i < MANY; i += 2) blocks[i] = fh_test_malloc(64);
    for (int i = 0; i < MANY; i++)
        for (int k = i + 1; k < MANY && k < i + 40; k++) assert_ptr_not_equal(blocks[i], blocks[k]);
    assert_sound();
}

static void no_block_is_given_twice(void **state)
{
    (void)state;
    enum { LIVE = 500 };
    static char *live[LIVE];
    uint64_t dice = 7;
    for (int step = 0; step < (unit_is_slow() ? 20000 : 200000); step++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        int i = (int)(dice >> 33) % LIVE;
        size_t size = 16 + (size_t)i % 16 * 16;
        if (live[i]) {
            unit_assert_filled(live[i], 16, (unsigned)i);
            unit_assert_filled(live[i] + size - 16, 16, (unsigned)i + 1);
            fh_test_free(live[i]);
            live[i] = NULL;
        } else {
            live[i] = fh_test_malloc(size - (dice >> 20) % 16);
            if (size > 16) unit_fill(live[i], 16, (unsigned)i);
            unit_fill(live[i] + size - 16, 16, (unsigned)i + 1);
            if (size == 16) unit_fill(live[i], 16, (unsigned)i);
            if (size == 16) fh_test_free(live[i]), live[i] = NULL; /* its two ends are the same */
        }
        if (step % 10000 == 0) assert_sound();
    }
    assert_sound();
}

/* While no heap can be locked, small blocks come from slabs that are mappings, and go back to the kernel. */
static void slabs_from_mappings_while_the_heap_is_locked(void **state)
{
    (void)state;
    fh_core_ensure_init();
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    fh_lock_freeze(&heap->lock);
    size_t mapped = fake_mapped_bytes();
    get_all(MANY, 48);
    struct fh_slab *slab = fh_slab_of(blocks[0], fh_pagemap_get(blocks[0]));
    assert_true(slab->is_mapping);
    assert_int_equal(heap->total_bytes, 0);
    assert_true(fake_mapped_bytes() > mapped);
    assert_int_equal(fh_state_self()->slabs.counts.mapped_bytes, class_of(48)->slabs * 65536);
    fh_lock_thaw(&heap->lock);
    assert_sound();
    free_all(MANY, 48);
    fh_state_flush(fh_state_self());
    assert_int_equal(fh_state_self()->slabs.counts.mapped_bytes, 0); /* such a slab is no reserve */
    assert_int_equal(fake_mapped_bytes(), fh_wholesale.pagemap_bytes + fh_wholesale.state_bytes);
    assert_sound();
}

static void refusals_while_a_slab_opens(void **state)
{
    (void)state;
    fh_core_ensure_init();
    fh_state_self();
    fake_refuse_memory();
    assert_null(fh_test_malloc(16));
    fake_allow_all();
    fake_refuse(FAKE_BREAK_UP);
    for (size_t k = 1; k <= 8; k++) {
        fake_refuse_kth(FAKE_MAP, k);
        get_all(300, 16 * k);
        free_all(300, 16 * k);
        assert_sound();
    }
}

/* A small block may lie in a hole of a heap when there is no page for a slab. */
static void the_last_resort_is_a_chunk(void **state)
{
    (void)state;
    void *big = fh_test_malloc(100000), *end = fh_test_malloc(100000);
    while (fh_core_malloc(50000)) /* use up what the heap has */
        fake_refuse_memory();
    fh_test_free(end);
    size_t chunks = 0, count = 0;
    for (char *p; (p = fh_test_malloc(32)) != NULL; count++) chunks += fh_entry_kind(fh_pagemap_get(p)) == FH_PAGE_HEAP;
    assert_true(chunks > 0 && count > 100);
    assert_sound();
    (void)big;
}

static void without_caching_every_call_comes_the_long_way(void **state)
{
    (void)state;
    fh_options.cache_bytes = 0;
    fh_state_self();
    fh_state_apply_options();
    get_all(500, 80);
    for (int i = 0; i < 500; i++) assert_false(fh_guard_is_marked(blocks[i]));
    assert_sound();
    char *last = blocks[499];
    free_all(500, 80);
    assert_int_equal(fh_state_self()->published.cached[5], 0);
    assert_null(fh_cache_bin_of(&fh_state_self()->cache, 80)->head);
    assert_sound();
    assert_true(class_of(80)->slabs <= 1);
    assert_true(unit_aborts(unit_free, last));
    assert_said("double free");
}

static void allocate_it(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) fh_test_malloc(64);
}

static void a_damaged_link_in_the_cache_stops(void **state)
{
    (void)state;
    get_all(10, 64);
    free_all(10, 64);
    memset(blocks[9], 'A', 16);
    assert_true(unit_aborts(allocate_it, NULL));
    char expected[100];
    snprintf(expected, sizeof expected, "freehold: damaged free-list link: %p, 64 bytes, in a slab", (void *)blocks[9]);
    assert_said(expected);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_class_up_and_down),
    cmocka_unit_test(slabs_get_larger_with_the_class),
    cmocka_unit_test(the_reserve_is_one_small_slab),
    cmocka_unit_test(a_full_cache_sends_blocks_to_their_slabs),
    cmocka_unit_test(no_block_is_given_twice),
    cmocka_unit_test(slabs_from_mappings_while_the_heap_is_locked),
    cmocka_unit_test(refusals_while_a_slab_opens),
    cmocka_unit_test(the_last_resort_is_a_chunk),
    cmocka_unit_test(without_caching_every_call_comes_the_long_way),
    cmocka_unit_test(a_damaged_link_in_the_cache_stops),
};
UNIT_GROUP(small);
