/*
 * test_pages_gate.c - when memory may be given back: never too soon after a regret, on a clock that the test moves.
 */
#include "unit.h"

#include "gate.h"
#include "options.h"

enum { SECOND = 1000 };

/* The clock is asked once in a while only. */
static bool is_open(struct fh_gate *gate)
{
    for (int i = 0; i < 100; i++)
        if (fh_gate_is_open(gate)) return true;
    return false;
}

static void it_is_open_at_first(void **state)
{
    (void)state;
    struct fh_gate gate = {0};
    assert_true(fh_gate_is_open(&gate));
    fh_options.give_back = 0;
    assert_false(is_open(&gate));
}

static void a_regret_closes_it_for_a_second_at_least(void **state)
{
    (void)state;
    fake_os.now_ms = 5000;
    struct fh_gate gate = {0};
    fh_gate_regret(&gate, 4096);
    assert_false(is_open(&gate));
    fake_os.now_ms += SECOND - 1;
    assert_false(is_open(&gate));
    fake_os.now_ms += 1;
    assert_true(is_open(&gate));
    assert_true(fh_gate_is_open(&gate)); /* and the clock is not asked again */
}

/* 512 MiB cost some 0.33 s to give back and fault in: sixteen times that, however it was counted. More than 8 s are
 * never owed, though a gigabyte costs 0.65. */
static void large_regrets_close_it_in_proportion(void **state)
{
    (void)state;
    for (size_t step = FH_MIB; step <= 512 * FH_MIB; step *= 8) {
        for (int twice = 0; twice < 2; twice++) {
            fake_os.now_ms = 7000;
            struct fh_gate gate = {0};
            assert_true(fh_gate_is_open(&gate)); /* here it learns what a page costs */
            for (size_t bytes = 0; bytes < (512 * FH_MIB << twice); bytes += step) fh_gate_regret(&gate, step);
            fake_os.now_ms += (twice ? 7 : 5) * SECOND;
            assert_false(is_open(&gate));
            fake_os.now_ms += SECOND;
            assert_true(is_open(&gate));
        }
    }
}

/* A program that wants its memory again every second and a half: regrets become rare. A long quiet
 * makes it as new. */
static void regrets_that_come_again_close_it_for_longer(void **state)
{
    (void)state;
    fake_os.now_ms = 5000;
    struct fh_gate gate = {0};
    int regrets = 0;
    for (int tide = 0; tide < 60; tide++) {
        if (is_open(&gate)) {
            for (int i = 0; i < 10; i++) fh_gate_regret(&gate, 4096); /* those of one tide count as one */
            regrets++;
        }
        fake_os.now_ms += 3 * SECOND / 2;
    }
    assert_in_range(regrets, 9, 13); /* not 60 */
    fake_os.now_ms += 600 * SECOND;
    assert_true(is_open(&gate));
    fh_gate_regret(&gate, 4096);
    fake_os.now_ms += SECOND;
    assert_true(is_open(&gate));
}

static void it_can_be_closed_for_a_time(void **state)
{
    (void)state;
    struct fh_gate gate = {0};
    fh_gate_close(&gate, 10 * SECOND);
    fh_gate_close(&gate, SECOND); /* the longer time stands */
    fake_os.now_ms += 9 * SECOND;
    assert_false(is_open(&gate));
    fake_os.now_ms += SECOND;
    assert_true(is_open(&gate));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(it_is_open_at_first),
    cmocka_unit_test(a_regret_closes_it_for_a_second_at_least),
    cmocka_unit_test(large_regrets_close_it_in_proportion),
    cmocka_unit_test(regrets_that_come_again_close_it_for_longer),
    cmocka_unit_test(it_can_be_closed_for_a_time),
};
UNIT_GROUP(gate);
