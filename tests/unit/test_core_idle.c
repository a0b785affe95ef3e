/*
 * test_core_idle.c - when a heap counts as left lying, on looks and a clock that the test makes.
 */
#include "unit.h"

#include "core.h"
#include "heap.h"
#include "large.h"
#include "options.h"

enum { MANY = 1000, SIZE = 10000, LOOKS = 6 };
static struct fh_heap *heap;
static char *blocks[MANY];

static void fill(void)
{
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    for (int i = 0; i < MANY; i++) {
        blocks[i] = fh_heap_alloc(heap, SIZE, 16, NULL);
        unit_fill(blocks[i], SIZE, (unsigned)i);
    }
}

/* A third stays, between holes; the gate is closed, so nothing goes. */
static void leave_lying(void)
{
    fh_gate_regret(&heap->gate, FH_MIB);
    for (int i = 0; i < MANY; i++)
        if (i % 3) fh_heap_free(heap, blocks[i]);
    assert_int_equal(heap->purged_bytes, 0);
}

static bool look(void)
{
    size_t before = fake_os.calls[FAKE_DISCARD];
    fh_core_look_for_idle();
    return fake_os.calls[FAKE_DISCARD] > before;
}

static void after_some_quiet_looks_it_goes(void **state)
{
    (void)state;
    fill();
    leave_lying();
    fake_os.now_ms += 60 * 1000; /* the gate is open again */
    int looks = 1;
    while (!look()) assert_true(++looks < LOOKS);
    assert_true(looks >= 3);
    size_t inner = heap->free_bytes - (size_t)(MANY / 3) * 2 * 4096;
    assert_true(heap->purged_bytes >= inner);
    for (int i = 0; i < MANY; i += 3) unit_assert_filled(blocks[i], SIZE, (unsigned)i);
    assert_sound();
    for (int i = 0; i < 3 * LOOKS; i++) assert_false(look()); /* there is nothing more */
}

static void a_gate_that_is_closed_forbids_it(void **state)
{
    (void)state;
    fill();
    leave_lying();
    for (int i = 0; i < LOOKS; i++) assert_false(look());
    fake_os.now_ms += 60 * 1000;
    assert_true(look());
    assert_sound();
}

static void a_heap_in_use_is_left_alone(void **state)
{
    (void)state;
    fill();
    leave_lying();
    fake_os.now_ms += 60 * 1000;
    for (int i = 0; i < 5 * LOOKS; i++) {
        for (int k = 0; k < 200; k++) blocks[3 * k + 1] = fh_heap_alloc(heap, SIZE, 16, NULL);
        assert_false(look());
        for (int k = 0; k < 200; k++) fh_heap_free(heap, blocks[3 * k + 1]);
        if (i % 3 == 0) assert_false(look());
    }
    assert_sound();
}

/* A mapping that is kept for the next request of its size goes when there is none; not from under who uses it. */
static void a_kept_mapping_that_nobody_wants_goes(void **state)
{
    (void)state;
    enum { BIG = 3 << 20 };
    for (int i = 0; i < 4 * LOOKS; i++) {
        fh_test_free(fh_test_malloc(BIG));
        fh_core_look_for_idle();
        if (i > 1) assert_int_equal(fh_large_counts.warm_blocks, 1);
    }
    int looks = 1;
    for (; fh_large_counts.warm_blocks; looks++) {
        assert_true(looks < LOOKS);
        fh_core_look_for_idle();
    }
    assert_true(looks >= 3);
    fh_options.give_back = 0;
    for (int i = 0; i < 2; i++) fh_test_free(fh_test_malloc(BIG));
    for (int i = 0; i < LOOKS; i++) fh_core_look_for_idle();
    assert_int_equal(fh_large_counts.warm_blocks, 1);
    assert_sound();
}

static void turned_off_it_stays(void **state)
{
    (void)state;
    fill();
    leave_lying();
    fh_options.give_back = 0;
    fake_os.now_ms += 60 * 1000;
    for (int i = 0; i < LOOKS; i++) assert_false(look());
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(after_some_quiet_looks_it_goes),
    cmocka_unit_test(a_gate_that_is_closed_forbids_it),
    cmocka_unit_test(a_heap_in_use_is_left_alone),
    cmocka_unit_test(a_kept_mapping_that_nobody_wants_goes),
    cmocka_unit_test(turned_off_it_stays),
};
UNIT_GROUP(idle);
