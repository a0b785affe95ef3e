/*
 * test_api_pressure.c - limits and pressure as a program sets them, and what it hears.
 */
#include "unit.h"

#include <errno.h>

#include "core.h"
#include "limit.h"
#include "options.h"
#include "state.h"

static struct {
    int calls;
    enum fh_pressure_level level;
    void *frees;
} heard;

static void hear(enum fh_pressure_level level, void *arg)
{
    assert_ptr_equal(arg, &heard);
    heard.calls++;
    heard.level = level;
    fh_test_free(heard.frees);
    heard.frees = NULL;
    fh_test_free(fh_test_malloc(300000)); /* what it does itself is not told */
    fh_pressure(level);
    errno = 99;
}

static void purge_says_how_much(void **state)
{
    (void)state;
    assert_int_equal(fh_purge(), 0);
    fh_options.give_back = 0;
    fh_options.trim_threshold = SIZE_MAX;
    static char *blocks[1000];
    for (int i = 0; i < 1000; i++) blocks[i] = memset(fh_test_malloc(5000), 1, 5000);
    for (int i = 0; i < 999; i++) fh_test_free(blocks[i]);
    assert_in_range(fh_purge(), 4800000, 5300000);
    assert_true(fh_purge() < 65536);
    assert_sound();
}

static void limits_are_checked(void **state)
{
    (void)state;
    assert_int_equal(fh_set_limit(2, 1), EINVAL);
    assert_int_equal(fh_set_limit(SIZE_MAX, 0), EINVAL);
    assert_int_equal(fh_set_limit(0, SIZE_MAX), EINVAL);
    assert_int_equal(fh_options.hard_limit, 0);
    assert_int_equal(fh_set_limit(8 * FH_MIB, 16 * FH_MIB), 0);
    errno = 0;
    assert_null(fh_test_malloc(17 * FH_MIB));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(fh_set_limit(0, 0), 0);
    fh_test_free(fh_test_malloc(17 * FH_MIB));
    assert_sound();
}

static void a_limit_that_is_passed_already(void **state)
{
    (void)state;
    fh_options.give_back = 0;
    static char *blocks[4000];
    for (int i = 0; i < 4000; i++) blocks[i] = fh_test_malloc(5000);
    for (int i = 0; i < 3999; i++) fh_test_free(blocks[i]);
    fh_on_pressure(hear, &heard);
    assert_int_equal(fh_set_limit(10 * FH_MIB, 0), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.level, FH_PRESSURE_SOME);
    assert_true(fh_heaps_get(0)->purged_bytes > 18000000);
    assert_sound();
}

static void pressure_is_told(void **state)
{
    (void)state;
    fh_on_pressure(hear, &heard);
    heard.frees = fh_test_malloc(5000);
    assert_int_equal(fh_pressure(FH_PRESSURE_FULL), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.level, FH_PRESSURE_FULL);
    assert_null(heard.frees);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_FULL);
    assert_int_equal(fh_pressure(FH_PRESSURE_NONE), 0);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(fh_pressure((enum fh_pressure_level)3), EINVAL);
    fh_on_pressure(NULL, NULL);
    assert_int_equal(fh_pressure(FH_PRESSURE_SOME), 0);
    assert_int_equal(heard.calls, 1);
    assert_sound();
}

static void free_keeps_errno(void **state)
{
    (void)state;
    fh_on_pressure(hear, &heard);
    char *block = fh_test_malloc(50000);
    fh_limit_want();
    errno = 7;
    fh_test_free(block);
    assert_int_equal(errno, 7);
    assert_int_equal(heard.calls, 1);
    assert_sound();
}

static void fill_cache(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) fh_test_free(fh_test_malloc(2000 + (size_t)i * 100));
}
static void step(void *unused)
{
    (void)unused;
    fh_test_free(fh_test_malloc(50000));
}

static void other_threads_give_up_theirs(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(1));
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, fill_cache, NULL);
    assert_true(fh_state_by_id(2)->medium.blocks > 0);
    fh_pressure(FH_PRESSURE_SOME);
    unit_thread_do(thread, step, NULL);
    assert_int_equal(fh_state_by_id(2)->medium.blocks, 0);
    unit_thread_end(thread);
    assert_sound();
}

static void refusals_change_nothing(void **state)
{
    (void)state;
    fill_cache(NULL);
    fake_refuse(FAKE_BREAK_DOWN), fake_refuse(FAKE_UNMAP), fake_refuse(FAKE_DISCARD);
    fh_pressure(FH_PRESSURE_FULL);
    fh_purge();
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(purge_says_how_much),
    cmocka_unit_test(limits_are_checked),
    cmocka_unit_test(a_limit_that_is_passed_already),
    cmocka_unit_test(pressure_is_told),
    cmocka_unit_test(free_keeps_errno),
    cmocka_unit_test(other_threads_give_up_theirs),
    cmocka_unit_test(refusals_change_nothing),
};
UNIT_GROUP(pressure);
