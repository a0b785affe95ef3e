/*
 * test_core_heaps.c - how many heaps, and which state uses which.
 */
#include "unit.h"

#include "core.h"
#include "options.h"

static void one_heap_for_a_single_thread(void **state)
{
    (void)state;
    fake_os.cpus = 8;
    fh_core_ensure_init();
    assert_int_equal(fh_heaps_count(), 1);
    assert_ptr_equal(fh_heaps_for(1), fh_heaps_get(0));
    assert_int_equal(fh_heaps_count(), 1);
}

static void later_states_spread_over_the_cpus(void **state)
{
    (void)state;
    fake_os.cpus = 3;
    for (uint32_t id = 2; id < 20; id++) {
        assert_int_equal(fh_heaps_for(id)->id, (id - 1) % 3);
        assert_int_equal(fh_heaps_count(), id == 2 ? 2 : 3);
    }
    fake_os.cpus = 5;
    assert_int_equal(fh_heaps_limit(), 3); /* decided once */
}

static void the_option_decides(void **state)
{
    (void)state;
    fh_options.arena_max = 2;
    fake_os.cpus = 16;
    assert_int_equal(fh_heaps_limit(), 2);
    assert_int_equal(fh_heaps_for(4)->id, 1);
    assert_int_equal(fh_heaps_for(5)->id, 0);
}

static void there_is_an_end_to_it(void **state)
{
    (void)state;
    fake_os.cpus = 4096;
    assert_int_equal(fh_heaps_limit(), 64);
    for (uint32_t id = 1; id < 1000; id++) assert_true(fh_heaps_for(id)->id < 64);
    assert_int_equal(fh_heaps_count(), 64);
    assert_sound();
}

static void one_cpu_means_one_heap(void **state)
{
    (void)state;
    for (uint32_t id = 1; id < 100; id++) assert_int_equal(fh_heaps_for(id)->id, 0);
    assert_int_equal(fh_heaps_count(), 1);
}

/* A heap that a thread makes between a fork's look at the heaps and the fork would be torn in the child, and its chunks
 * may be in the hands of the thread that forks. So there is none: the thread makes do with another, for good. */
static void none_is_made_while_a_fork_is_prepared(void **state)
{
    (void)state;
    fake_os.cpus = 3;
    fh_fork_prepare();
    assert_int_equal(fh_heaps_for(2)->id, 0);
    assert_int_equal(fh_heaps_for(3)->id, 0);
    assert_int_equal(fh_heaps_count(), 1);
    fh_fork_parent();
    assert_int_equal(fh_heaps_for(3)->id, 2);
    assert_int_equal(fh_heaps_count(), 3);
    fh_fork_prepare();
    assert_int_equal(fh_heaps_for(2)->id, 1);
    fh_fork_child();
    assert_int_equal(fh_heaps_for(2)->id, 1);
    assert_int_equal(fh_heaps_count(), 3);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_heap_for_a_single_thread),
    cmocka_unit_test(later_states_spread_over_the_cpus),
    cmocka_unit_test(the_option_decides),
    cmocka_unit_test(there_is_an_end_to_it),
    cmocka_unit_test(one_cpu_means_one_heap),
    cmocka_unit_test(none_is_made_while_a_fork_is_prepared),
};
UNIT_GROUP(heaps);
