/*
 * test_insight_samples.c - the tables of live chosen blocks.
 */
#include "unit.h"

#include "samples.h"

static struct fh_sample sample_of(uint64_t address)
{
    return (struct fh_sample){address, address / 7, (uint32_t)(address % 1000), 5, address * 3};
}

static void what_is_put_is_taken_once(void **state)
{
    (void)state;
    struct fh_sample found;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    assert_false(fh_samples_take((void *)0x4000, &found));
    struct fh_sample sample = sample_of(0x4000);
    assert_true(fh_samples_put(&sample));
    assert_true(fh_samples_take((void *)0x4000, &found));
    assert_memory_equal(&found, &sample, sizeof found);
    assert_false(fh_samples_take((void *)0x4000, &found));
}

static void count_one(const struct fh_sample *sample, void *arg)
{
    struct fh_sample expected = sample_of(sample->address);
    assert_memory_equal(sample, &expected, sizeof expected);
    ++*(size_t *)arg;
}

/* More than a table holds, with frees in between; none is lost, none is found twice. */
static void tables_grow(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    enum { COUNT = 30000 };
    struct fh_sample found;
    size_t seen = 0;
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 1; i <= COUNT; i++) {
            struct fh_sample sample = sample_of(i * 4096 + round * 16);
            assert_true(fh_samples_put(&sample));
            if (i % 3) assert_true(fh_samples_take((void *)(i * 4096 + round * 16), &found));
        }
    }
    fh_samples_each(count_one, &seen);
    assert_int_equal(seen, 3 * (COUNT / 3));
    for (uint64_t round = 0; round < 3; round++)
        for (uint64_t i = 3; i <= COUNT; i += 3)
            assert_true(fh_samples_take((void *)(i * 4096 + round * 16), &found));
    seen = 0;
    fh_samples_each(count_one, &seen);
    assert_int_equal(seen, 0);
    assert_int_equal(fh_samples.lost_samples, 0);
    assert_sound(); /* the tables are in the account */
}

static void without_memory_samples_are_lost_and_counted(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    fake_refuse(FAKE_MAP);
    size_t kept = 0;
    for (uint64_t i = 1; i <= 10000; i++) {
        struct fh_sample sample = sample_of(i * 64);
        kept += fh_samples_put(&sample);
    }
    assert_true(kept > 2000 && kept <= 4096);
    assert_int_equal(fh_samples.lost_samples, 10000 - kept);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_is_put_is_taken_once),
    cmocka_unit_test(tables_grow),
    cmocka_unit_test(without_memory_samples_are_lost_and_counted),
};
UNIT_GROUP(samples);
