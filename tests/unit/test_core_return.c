/*
 * test_core_return.c - memory comes back by itself: what a process keeps of a heap that it has left mostly empty.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "pagemap.h"
#include "state.h"

enum { MANY = 60000 };
static char *blocks[MANY];
static size_t sizes[MANY];
static int keep_every = 500;

static void get_all(void)
{
    uint64_t dice = 5;
    for (int i = 0; i < MANY; i++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        sizes[i] = 16 + (size_t)(dice >> 33) % 512;
        blocks[i] = fh_test_malloc(sizes[i]);
        assert_non_null(blocks[i]);
        unit_fill(blocks[i], sizes[i], (unsigned)i);
    }
}
static void free_most(void)
{
    for (int i = 0; i < MANY; i++)
        if (i % keep_every) fh_test_free(blocks[i]);
}
static void assert_kept(void)
{
    for (int i = 0; i < MANY; i += keep_every) unit_assert_filled(blocks[i], sizes[i], (unsigned)i);
}

/* Freed bytes that are in memory still. */
static size_t held(void)
{
    struct fh_account account;
    fh_account_read(&account);
    return account.free_bytes + account.cached_bytes;
}

static void most_of_a_heap_goes(void **state)
{
    (void)state;
    get_all();
    free_most();
    assert_kept();
    print_message("%zu held\n", held());
    assert_true(held() < 3 * FH_MIB); /* of 16 */
    assert_true(fh_state_self()->cutting);
    assert_sound();
    /* What was cut up is used again, and goes away object by object. */
    for (int i = 0; i < MANY; i++)
        if (i % keep_every) blocks[i] = fh_test_malloc(sizes[i]), unit_fill(blocks[i], sizes[i], (unsigned)i);
    assert_sound();
    for (int i = 0; i < MANY; i++) {
        unit_assert_filled(blocks[i], sizes[i], (unsigned)i);
        fh_test_free(blocks[i]);
    }
    assert_sound();
    fh_state_flush(fh_state_self());
    fh_small_release_empty(fh_state_self());
    assert_int_equal(fh_heaps_get(0)->used_chunks, 0);
    assert_sound();
}

static void in_any_order(void **state)
{
    (void)state;
    get_all();
    for (int step = 0; step < 7; step++)
        for (int i = step; i < MANY; i += 7)
            if (i % keep_every) fh_test_free(blocks[i]);
    assert_kept();
    assert_true(held() < 3 * FH_MIB);
    assert_sound();
}

/* Freed in no order: the first blocks go to the cache and would hold every slab, so it is emptied when half is free. */
static void the_cache_holds_no_slabs(void **state)
{
    (void)state;
    enum { SIZE = 48, JUMP = 7919 }; /* coprime to MANY */
    fh_options.give_back = 0;
    struct fh_state *self = fh_state_self();
    for (int i = 0; i < MANY; i++) blocks[i] = fh_test_malloc(SIZE);
    size_t slabs = fh_slab_class_of(&self->slabs, SIZE)->slabs, cache_bytes = self->cache_bytes;
    for (int i = 0, k = 0; i < MANY; i++, k = (k + JUMP) % MANY) {
        fh_test_free(blocks[k]);
        if (i % 10000 == 0) assert_sound();
    }
    print_message("%zu of %zu slabs stay\n", fh_slab_class_of(&self->slabs, SIZE)->slabs, slabs);
    assert_true(slabs > 40 && fh_slab_class_of(&self->slabs, SIZE)->slabs <= 1);
    assert_true(self->draining);
    fh_test_free(fh_test_malloc(SIZE)); /* and caches as before from here on */
    assert_false(self->draining);
    assert_int_equal(self->cache_bytes, cache_bytes);
    assert_int_equal(fh_cache_capacity(SIZE, cache_bytes) - fh_cache_bin_of(&self->cache, SIZE)->room,
                     fh_load_relaxed(&self->published.cached[SIZE / 16]));
    assert_sound();
}

static void turned_off_nothing_goes(void **state)
{
    (void)state;
    fh_options.give_back = 0;
    get_all();
    free_most();
    assert_true(held() > 10 * FH_MIB);
    assert_int_equal(fake_os.calls[FAKE_DISCARD], 0);
    assert_false(fh_state_self()->cutting);
    assert_kept();
    assert_sound();
}

static void a_kernel_that_refuses_loses_nothing(void **state)
{
    (void)state;
    fake_refuse(FAKE_DISCARD);
    get_all();
    free_most();
    assert_kept();
    assert_sound();
}

/* A second free of an object whose slab was cut away from under it. */
static void a_double_free_is_still_one(void **state)
{
    (void)state;
    get_all();
    free_most();
    size_t caught = 0;
    for (int i = 1; i < MANY; i += 997)
        if (i % keep_every) {
            if (!unit_aborts(unit_free, blocks[i])) fail_msg("%d: %zu bytes at %p", i, sizes[i], (void *)blocks[i]);
            caught++;
        }
    assert_true(caught > 50);
}

static void thrashing_is_noticed(void **state)
{
    (void)state;
    size_t discards[6];
    for (int round = 0; round < 6; round++) {
        get_all();
        free_most();
        assert_kept();
        discards[round] = fake_os.calls[FAKE_DISCARD];
        for (int i = 0; i < MANY; i += keep_every) fh_test_free(blocks[i]);
    }
    print_message("discards: %zu %zu ... %zu\n", discards[0], discards[1], discards[5]);
    assert_true(discards[0] > 0);
    assert_true(discards[5] - discards[1] <= 4);
    assert_sound();
}

static void work(void *arg)
{
    (void)arg;
    get_all();
    free_most();
}

/* Each thread sees to its own slabs; what it leaves behind is whole. */
static void in_another_thread(void **state)
{
    (void)state;
    fake_os.cpus = 2;
    fh_test_free(fh_test_malloc(1));
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, work, NULL);
    assert_kept();
    for (int i = 0; i < MANY; i += keep_every) fh_test_free(blocks[i]);
    unit_thread_end(thread);
    assert_true(held() < 3 * FH_MIB);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(most_of_a_heap_goes),
    cmocka_unit_test(in_any_order),
    cmocka_unit_test(the_cache_holds_no_slabs),
    cmocka_unit_test(turned_off_nothing_goes),
    cmocka_unit_test(a_kernel_that_refuses_loses_nothing),
    cmocka_unit_test(a_double_free_is_still_one),
    cmocka_unit_test(thrashing_is_noticed),
    cmocka_unit_test(in_another_thread),
};
UNIT_GROUP(return);
