/*
 * test_insight_walk.c - the walk: every block once, in address order, with its kind, size and state.
 */
#include "unit.h"

#include "classes.h"
#include "core.h"
#include "insight.h"
#include "pagemap.h"
#include "state.h"

enum { MOST = 4000 };
static struct fh_block found[MOST];
static int found_count;

static int collect(const struct fh_block *block, void *arg)
{
    (void)arg;
    if (found_count) {
        const struct fh_block *last = &found[found_count - 1];
        size_t extent = last->kind == FH_BLOCK_SLAB ? 64 : last->size_bytes;
        assert_true(block->address >= last->address + extent);
    }
    assert_true(found_count < MOST);
    found[found_count++] = *block;
    return 0;
}

static const struct fh_block *block_at(const void *pointer)
{
    for (int i = 0; i < found_count; i++)
        if (found[i].address == (uintptr_t)pointer && found[i].kind != FH_BLOCK_SLAB) return &found[i];
    return NULL;
}

static void walk(void)
{
    found_count = 0;
    assert_int_equal(fh_walk(collect, NULL), 0);
}

static void expect(const void *pointer, enum fh_block_kind kind, enum fh_block_state state, size_t size)
{
    const struct fh_block *block = block_at(pointer);
    assert_non_null(block);
    assert_int_equal(block->kind, kind);
    assert_int_equal(block->state, state);
    assert_int_equal(block->size_bytes, size);
    assert_int_equal(block->heap, kind == FH_BLOCK_LARGE ? UINT32_MAX : 0);
    assert_int_equal(block->owner, kind == FH_BLOCK_SLAB_OBJECT ? 1 : 0);
}

static void nothing_yet(void **state)
{
    (void)state;
    walk();
    assert_int_equal(found_count, 0);
}

static void kinds_and_states(void **state)
{
    (void)state;
    char *small = fh_test_malloc(64), *cached = fh_test_malloc(64), *listed = fh_test_malloc(64);
    char *medium = fh_test_malloc(3000), *kept = fh_test_malloc(4000), *freed = fh_test_malloc(60000);
    char *end = fh_test_malloc(5000), *large = fh_test_malloc(300000), *aligned = fh_test_memalign(4096, 300000);
    char *less_aligned = fh_test_memalign(512, 300000);
    fh_test_free(listed);
    fh_small_flush_cache(fh_state_self());
    fh_test_free(cached);
    fh_test_free(kept);
    fh_test_free(freed);
    walk();
    expect(small, FH_BLOCK_SLAB_OBJECT, FH_STATE_LIVE, 64);
    expect(listed, FH_BLOCK_SLAB_OBJECT, FH_STATE_FREE, 64);
    expect(cached, FH_BLOCK_SLAB_OBJECT, FH_STATE_CACHED, 64);
    expect(medium, FH_BLOCK_CHUNK, FH_STATE_LIVE, fh_test_malloc_usable_size(medium));
    expect(end, FH_BLOCK_CHUNK, FH_STATE_LIVE, fh_test_malloc_usable_size(end));
    expect(large, FH_BLOCK_LARGE, FH_STATE_LIVE, fh_test_malloc_usable_size(large));
    expect(aligned, FH_BLOCK_LARGE, FH_STATE_LIVE, fh_test_malloc_usable_size(aligned));
    expect(less_aligned, FH_BLOCK_LARGE, FH_STATE_LIVE, fh_test_malloc_usable_size(less_aligned));
    assert_int_equal(block_at(kept)->state, FH_STATE_CACHED);
    assert_int_equal(block_at(freed)->state, FH_STATE_FREE);
    int tops = 0, slabs = 0;
    for (int i = 0; i < found_count; i++) {
        tops += found[i].state == FH_STATE_TOP;
        slabs += found[i].kind == FH_BLOCK_SLAB;
        if (found[i].kind == FH_BLOCK_SLAB) {
            assert_int_equal(found[i].size_bytes, 4096 - 8);
            assert_int_equal(found[i].owner, 1);
        }
    }
    assert_int_equal(tops, 1);
    assert_int_equal(slabs, 1);
}

/* What the walk finds live is what the program holds: a shadow of a random run. */
static void the_walk_agrees_with_a_shadow(void **state)
{
    (void)state;
    enum { LIVE = 300 };
    static char *live[LIVE];
    uint64_t dice = 99;
    for (int step = 0; step < 3000; step++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        int i = (int)(dice >> 33) % LIVE;
        if (live[i]) fh_test_free(live[i]), live[i] = NULL;
        else live[i] = fh_test_malloc(((size_t)16 << (dice >> 50) % 15) + (dice >> 40) % 16);
        if (step % 500 != 499) continue;
        walk();
        int shadow = 0, seen = 0;
        size_t bytes = 0;
        for (int k = 0; k < LIVE; k++) {
            if (!live[k]) continue;
            shadow++;
            assert_non_null(block_at(live[k]));
            assert_int_equal(block_at(live[k])->state, FH_STATE_LIVE);
            assert_int_equal(block_at(live[k])->size_bytes, fh_test_malloc_usable_size(live[k]));
        }
        for (int k = 0; k < found_count; k++)
            if (found[k].state == FH_STATE_LIVE && found[k].kind != FH_BLOCK_SLAB) seen++, bytes += found[k].size_bytes;
        struct fh_account account;
        fh_account_read(&account);
        assert_int_equal(seen, shadow);
        assert_int_equal(account.live_blocks, shadow);
        assert_int_equal(account.live_bytes, bytes);
    }
    assert_sound();
}

static int stop_at_third(const struct fh_block *block, void *arg)
{
    (void)block;
    return ++*(int *)arg == 3 ? 42 : 0;
}

static void the_visitor_may_stop_it(void **state)
{
    (void)state;
    int count = 0;
    for (int i = 0; i < 20; i++) fh_test_malloc(64);
    assert_int_equal(fh_walk(stop_at_third, &count), 42);
    assert_int_equal(count, 3);
}

static void slabs_that_are_mappings_are_walked(void **state)
{
    (void)state;
    fh_state_self();
    fh_lock_freeze(&fh_heaps_get(0)->lock);
    char *p = fh_test_malloc(64);
    fh_lock_thaw(&fh_heaps_get(0)->lock);
    walk();
    assert_int_equal(found[0].kind, FH_BLOCK_SLAB);
    assert_int_equal(found[0].heap, UINT32_MAX);
    assert_int_equal(found[0].size_bytes, 65536 - FH_SLAB_BOUNDARY_BYTES);
    assert_int_equal(block_at(p)->state, FH_STATE_LIVE);
    assert_sound();
}

static void damage_ends_a_segments_part(void **state)
{
    (void)state;
    char *a = fh_test_malloc(3000), *b = fh_test_malloc(3000), *large = fh_test_malloc(400000);
    ((uint64_t *)(void *)b)[-1] ^= 1;
    walk();
    assert_non_null(block_at(a));
    assert_null(block_at(b));
    assert_non_null(block_at(large));
}

static void listed_bits_are_checked(void **state)
{
    (void)state;
    char *blocks[30];
    for (int i = 0; i < 30; i++) blocks[i] = fh_test_malloc(64);
    for (int i = 0; i < 3; i++) fh_test_free(blocks[i]);
    fh_state_flush(fh_state_self());
    struct fh_slab *slab = fh_slab_of(blocks[0], fh_pagemap_get(blocks[0]));
    uint64_t bits[FH_SLAB_BITS_WORDS];
    assert_true(fh_slab_listed_bits(slab, bits));
    for (int i = 0; i < 3; i++)
        assert_true(fh_bit(bits, (uint32_t)((blocks[i] - (char *)fh_slab_object(slab, 0)) / 64)));
    assert_false(fh_bit(bits, (uint32_t)((blocks[5] - (char *)fh_slab_object(slab, 0)) / 64)));
    void *head = slab->free;
    slab->free = (char *)head + 16;
    assert_false(fh_slab_listed_bits(slab, bits));
    slab->free = head;
    fh_guard_link(blocks[1], blocks[1]); /* a ring */
    assert_false(fh_slab_listed_bits(slab, bits));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_yet),
    cmocka_unit_test(kinds_and_states),
    cmocka_unit_test(the_walk_agrees_with_a_shadow),
    cmocka_unit_test(the_visitor_may_stop_it),
    cmocka_unit_test(slabs_that_are_mappings_are_walked),
    cmocka_unit_test(damage_ends_a_segments_part),
    cmocka_unit_test(listed_bits_are_checked),
};
UNIT_GROUP(walk);
