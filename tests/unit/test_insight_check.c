/*
 * test_insight_check.c - fh_check as a whole; that it sees each invariant broken is in test_all_invariants.c.
 */
#include "unit.h"

#include "core.h"
#include "insight.h"
#include "pagemap.h"
#include "state.h"

static void a_sound_heap_has_no_violations(void **state)
{
    (void)state;
    assert_string_equal(unit_violations(), "");
    for (size_t size = 1; size < 500000; size = size * 3 / 2 + 1) fh_test_malloc(size);
    assert_string_equal(unit_violations(), "");
    for (int i = 0; i < 300; i++) fh_test_free(fh_test_malloc((size_t)i * 40));
    assert_string_equal(unit_violations(), "");
}

static void without_a_reporter_it_counts(void **state)
{
    (void)state;
    char *p = fh_test_malloc(3000);
    ((uint64_t *)(void *)p)[-1] ^= 1;
    assert_true(fh_check(NULL, NULL) >= 1);
}

static void check_at_exit(void *unused)
{
    (void)unused;
    fh_check_or_abort();
}

static void the_check_at_exit_aborts(void **state)
{
    (void)state;
    char *p = fh_test_malloc(3000);
    assert_false(unit_aborts(check_at_exit, NULL));
    assert_text("");
    ((uint64_t *)(void *)p)[-1] ^= 1;
    assert_true(unit_aborts(check_at_exit, NULL));
    char expected[200];
    snprintf(expected, sizeof expected, "freehold: invariant H1 does not hold at 0x%zx: chunk does not tile the heap\n",
             (size_t)p - 8);
    assert_said(expected);
}

static void attach(void *unused)
{
    (void)unused;
    fh_test_free(fh_test_malloc(10));
}

static void the_check_at_exit_is_left_out_while_others_run(void **state)
{
    (void)state;
    fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, attach, NULL);
    assert_false(unit_aborts(check_at_exit, NULL));
    assert_text("freehold: check at exit left out: other threads still run\n");
    unit_thread_end(thread);
    assert_false(unit_aborts(check_at_exit, NULL));
    assert_text("");
}

/* Blocks that were handed over while the lock was frozen are no violation. */
static void waiting_blocks_are_sound(void **state)
{
    (void)state;
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    char *a = fh_heap_alloc(heap, 3000, 16, NULL);
    fh_lock_freeze(&heap->lock);
    fh_heap_free(heap, a);
    assert_string_equal(unit_violations(), "");
    fh_lock_thaw(&heap->lock);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_sound_heap_has_no_violations),
    cmocka_unit_test(without_a_reporter_it_counts),
    cmocka_unit_test(the_check_at_exit_aborts),
    cmocka_unit_test(the_check_at_exit_is_left_out_while_others_run),
    cmocka_unit_test(waiting_blocks_are_sound),
};
UNIT_GROUP(check);
