/*
 * test_core_trim.c - giving back everything that can be spared, of every thread.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "large.h"
#include "state.h"
#include "wholesale.h"

static void churn(void *unused)
{
    (void)unused;
    static char *blocks[400];
    for (int i = 0; i < 400; i++) blocks[i] = fh_test_malloc(16 + (size_t)i * 20);
    for (int i = 0; i < 400; i++) fh_test_free(blocks[i]);
    for (int i = 0; i < 3; i++) fh_test_free(fh_test_malloc(400000));
}

static size_t held(void) { return fh_wholesale.obtained_bytes - fh_wholesale.returned_bytes; }
static size_t metadata(void) { return fh_wholesale.pagemap_bytes + fh_wholesale.state_bytes; }

static void nothing_is_left_but_a_page(void **state)
{
    (void)state;
    churn(NULL);
    assert_true(fh_large_counts.warm_blocks > 0);
    assert_true(held() > metadata() + 100000);
    assert_true(fh_core_trim(0));
    assert_int_equal(fh_large_counts.warm_blocks, 0);
    assert_int_equal(held(), metadata() + 4096);
    assert_int_equal(fh_heaps_get(0)->used_chunks, 0);
    assert_sound();
    assert_false(fh_core_trim(0));
    churn(NULL);
    assert_sound();
}

static void some_may_be_kept(void **state)
{
    (void)state;
    fh_state_self();
    assert_non_null(fh_heap_alloc(fh_heaps_get(0), 300, 16, NULL)); /* the top behind it was never touched */
    assert_true(fh_core_trim(200000));
    assert_true(held() >= metadata() + 200000 && held() < metadata() + 200000 + 3 * 4096);
    assert_sound();
}

static void step(void *unused)
{
    (void)unused;
    fh_test_free(fh_test_malloc(1 << 20)); /* a slow step */
}

static void other_threads_empty_theirs_at_their_next_slow_step(void **state)
{
    (void)state;
    fh_options.give_back = 0; /* or it would keep nothing after that (hoard.c) */
    fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, churn, NULL);
    struct fh_state *other = fh_state_by_id(2);
    assert_true(other->medium.blocks > 0);
    fh_core_trim(0);
    assert_true(other->medium.blocks > 0);
    unit_thread_do(thread, step, NULL);
    assert_int_equal(other->medium.blocks, 0);
    assert_int_equal(other->slabs.counts.slab_bytes, 0);
    unit_thread_end(thread);
    assert_sound();
}

static void a_trim_before_the_first_block(void **state)
{
    (void)state;
    assert_false(fh_core_trim(0));
    assert_sound();
}

static void refusals_change_nothing(void **state)
{
    (void)state;
    churn(NULL);
    fake_refuse(FAKE_BREAK_DOWN), fake_refuse(FAKE_UNMAP), fake_refuse(FAKE_DISCARD);
    fh_core_trim(0);
    assert_sound();
    fake_allow_all();
    fh_core_trim(0);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_is_left_but_a_page),
    cmocka_unit_test(some_may_be_kept),
    cmocka_unit_test(other_threads_empty_theirs_at_their_next_slow_step),
    cmocka_unit_test(a_trim_before_the_first_block),
    cmocka_unit_test(refusals_change_nothing),
};
UNIT_GROUP(trim);
