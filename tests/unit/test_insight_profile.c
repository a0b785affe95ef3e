/*
 * test_insight_profile.c - profiles from their start to their file.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"
#include "profile.h"
#include "samples.h"

static void off_is_off(void **state)
{
    (void)state;
    assert_int_equal(fh_profile_dump("/tmp/fh_unit_never"), ENOTSUP);
    assert_int_equal(fh_profile_write(1), ENOTSUP);
    fh_profile_start();
    assert_int_equal(fh_samples.mode, FH_SAMPLES_OFF);
    fh_options.profile = "-";
    fh_options.profile_pid = (size_t)fh_os_pid() + 1;
    fh_profile_start(); /* for another process */
    assert_int_equal(fh_samples.mode, FH_SAMPLES_OFF);
}

static void start(size_t interval)
{
    fh_options.profile = "-";
    fh_options.profile_interval = interval;
    fh_options.profile_seed = 1;
    fh_profile_start();
    assert_int_equal(fh_samples.mode, FH_SAMPLES_PROFILE);
}

static void add(struct fh_stack *stack, void *arg)
{
    uint64_t *sums = arg;
    sums[0] += stack->allocated_objects;
    sums[1] += stack->allocated_bytes;
    sums[2] += stack->allocated_objects - stack->freed_objects;
    sums[3] += stack->allocated_bytes - stack->freed_bytes;
}

/* With an interval far below any block, everything is chosen and stands for itself. */
static void small_intervals_are_exact(void **state)
{
    (void)state;
    uint64_t sums[4] = {0};
    void *p[10];
    start(1);
    for (int i = 0; i < 10; i++) p[i] = fh_test_malloc(100);
    for (int i = 0; i < 4; i++) fh_test_free(p[i]);
    fh_stacks_each(add, sums);
    assert_int_equal(sums[0], 10 << 16);
    assert_int_equal(sums[1], 10 * 112);
    assert_int_equal(sums[2], 6 << 16);
    assert_int_equal(sums[3], 6 * 112);
    for (int i = 4; i < 10; i++) fh_test_free(p[i]);
    memset(sums, 0, sizeof sums);
    fh_stacks_each(add, sums);
    assert_int_equal(sums[2] + sums[3], 0);
    assert_sound();
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    start(1);
    fh_test_free(fh_test_malloc(100));
    assert_int_equal(fh_profile_dump("/no/such/folder/file"), ENOENT);
    if (access("/dev/full", W_OK) == 0) assert_int_equal(fh_profile_dump("/dev/full"), ENOSPC);
    fake_refuse(FAKE_MAP);
    assert_int_equal(fh_profile_dump("/dev/null"), ENOSPC);
    fake_allow_all();
    assert_int_equal(fh_profile_dump("/dev/null"), 0);
    assert_sound(); /* the scratch memory is back */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(off_is_off),
    cmocka_unit_test(small_intervals_are_exact),
    cmocka_unit_test(a_full_disk_is_an_error),
};
UNIT_GROUP(profile);
