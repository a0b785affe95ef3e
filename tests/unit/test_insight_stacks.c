/*
 * test_insight_stacks.c - the arena of call stacks, and which block came from which.
 */
#include "unit.h"

#include "samples.h"

static void equal_stacks_are_one(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    uint64_t frames[FH_SAMPLES_STACK_MOST];
    for (unsigned i = 0; i < FH_SAMPLES_STACK_MOST; i++) frames[i] = 0x1000 + i;
    uint32_t whole = fh_stack_find(frames, 40, false);
    assert_true(whole >= 8);
    assert_int_equal(fh_stack_find(frames, 40, false), whole);
    assert_int_not_equal(fh_stack_find(frames, 40, true), whole);
    assert_int_not_equal(fh_stack_find(frames, 39, false), whole);
    frames[39]++;
    assert_int_not_equal(fh_stack_find(frames, 40, false), whole);
    const struct fh_stack *stack = fh_stack_at(whole);
    assert_int_equal(stack->depth, 40);
    assert_int_equal(stack->frames[39], 0x1000 + 39);
    assert_int_equal(stack->flags, 0);
}

static void count_one(struct fh_stack *stack, void *arg)
{
    assert_int_equal(stack->frames[0] * 2, stack->frames[1]);
    ++*(size_t *)arg;
}

/* Over the borders of blocks; each is found again. */
static void many_stacks(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_PROFILE, 1000));
    enum { COUNT = 20000 };
    static uint32_t numbers[COUNT];
    size_t seen = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t frames[2] = {i + 1, 2 * i + 2};
        numbers[i] = fh_stack_find(frames, 2, false);
        assert_true(numbers[i]);
        assert_true(numbers[i] % FH_SAMPLES_BLOCK_WORDS + sizeof(struct fh_stack) / 8 + 2 <= FH_SAMPLES_BLOCK_WORDS);
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t frames[2] = {i + 1, 2 * i + 2};
        assert_int_equal(fh_stack_find(frames, 2, false), numbers[i]);
    }
    fh_stacks_each(count_one, &seen);
    assert_int_equal(seen, COUNT);
    fake_refuse(FAKE_MAP);
    uint64_t i = COUNT, lost = 0;
    for (; !lost && i < 2 * COUNT; i++) {
        uint64_t frames[2] = {i + 1, 2 * i + 2};
        lost = fh_stack_find(frames, 2, false) == 0;
    }
    assert_int_equal(fh_samples.lost_stacks, 1);
}

static uint64_t site_of(const void *pointer)
{
    uint64_t *root = (uint64_t *)(uintptr_t)fh_samples.sites_root;
    uint32_t *leaf = (uint32_t *)(uintptr_t)root[(uintptr_t)pointer >> FH_SITES_LEAF_SHIFT];
    if (!leaf) return 0;
    uint32_t number = leaf[(uintptr_t)pointer >> FH_SITES_GRAIN_SHIFT & ((1 << 22) - 1)];
    return number ? *fh_words_at(number) : 0;
}

static void sites_name_the_stack_of_an_address(void **state)
{
    (void)state;
    assert_true(fh_samples_init(FH_SAMPLES_SITES, 0));
    fh_samples.started_ms -= 100000000; /* a word of that age is young for 390 s, however slow the machine is */
    uint64_t frames[2] = {1, 2};
    uint32_t stack = fh_stack_find(frames, 2, false);
    void *here = (void *)0x12345670, *there = (void *)0x7fff12345670;
    fh_site_note(here, stack);
    assert_int_equal(site_of(here) >> 32, stack);
    assert_int_equal(site_of(there), 0);
    fh_site_note(there, stack);
    assert_int_equal(site_of(there), site_of(here)); /* a moment later: the same word */
    fh_site_note(here, 0);
    assert_int_equal(site_of(here), 0);
    fh_samples.started_ms -= 1000000; /* time goes by */
    fh_site_note(here, stack);
    assert_true((uint32_t)site_of(here) >= (uint32_t)site_of(there) + 100000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(equal_stacks_are_one),
    cmocka_unit_test(many_stacks),
    cmocka_unit_test(sites_name_the_stack_of_an_address),
};
UNIT_GROUP(stacks);
