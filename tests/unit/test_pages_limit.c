/*
 * test_pages_limit.c - when the kernel is not asked, and when giving back is due.
 */
#include "unit.h"

#include "core.h"
#include "limit.h"
#include "options.h"
#include "pagemap.h"
#include "samples.h"
#include "wholesale.h"

static void nothing_is_limited_by_default(void **state)
{
    (void)state;
    assert_true(fh_limit_take(SIZE_MAX / 4));
    fh_limit_give(SIZE_MAX / 4);
    void *p = fh_test_malloc(200 * FH_MIB);
    assert_non_null(p);
    assert_int_equal(fh_limit.wanted, 0);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    fh_test_free(p);
}

static void the_hard_limit_is_never_exceeded(void **state)
{
    (void)state;
    static void *blocks[100000];
    size_t count = 0;
    fh_options.hard_limit = 20 * FH_MIB;
    for (size_t n = 16; n <= FH_MIB; n *= 4) {
        count = 0;
        while ((blocks[count] = fh_test_malloc(n)) && count + 1 < 100000) {
            count++;
            assert_true(fh_limit_held() <= 20 * FH_MIB);
        }
        if (n >= 256) assert_true(count * n > 16 * FH_MIB); /* nearly all of it can be had */
        assert_null(fh_test_malloc(30 * FH_MIB));
        assert_null(fh_test_realloc(blocks[0], 30 * FH_MIB));
        assert_sound();
        while (count) fh_test_free(blocks[--count]);
    }
    fh_options.hard_limit = 0;
    fh_test_free(fh_test_malloc(30 * FH_MIB));
    assert_sound();
}

/* Two threads, each of which has asked and has no answer yet. */
static void who_asks_counts_before_the_answer(void **state)
{
    (void)state;
    fh_options.hard_limit = 10 * FH_MIB;
    assert_true(fh_limit_take(6 * FH_MIB));
    assert_false(fh_limit_take(6 * FH_MIB));
    assert_null(fh_wholesale_map(6 * FH_MIB));
    fh_limit_give(6 * FH_MIB); /* refused */
    fake_refuse_kth(FAKE_MAP, 1);
    assert_null(fh_wholesale_map(6 * FH_MIB));
    assert_int_equal(fh_limit_held(), 0);
    void *p = fh_wholesale_map(6 * FH_MIB);
    assert_non_null(p);
    assert_int_equal(fh_limit_held(), 6 * FH_MIB);
    fh_wholesale_discard(p, 6 * FH_MIB);
    assert_int_equal(fh_limit_held(), 0);
}

static void shrinking_is_no_question_of_limits(void **state)
{
    (void)state;
    char *p = fh_wholesale_map(6 * FH_MIB);
    fh_options.hard_limit = FH_MIB;
    assert_true(fh_wholesale_remap(p, 6 * FH_MIB, 5 * FH_MIB));
    assert_int_equal(fh_limit_held(), 5 * FH_MIB);
}

static void allocate_one(void *unused)
{
    (void)unused;
    void *p = fh_test_malloc(100);
    assert_non_null(p);
    fh_test_free(p);
}

/* A leaf of the page map is 4 MiB, and a thread needs a state. */
static void own_tables_do_not_count(void **state)
{
    (void)state;
    fh_options.hard_limit = 2 * FH_MIB;
    fh_options.soft_limit = 2 * FH_MIB;
    allocate_one(NULL);
    unit_in_thread(allocate_one, NULL);
    size_t held = fh_limit_held();
    assert_true(held > 0 && held <= 2 * FH_MIB);
    assert_true(fh_pagemap_prepare((void *)((uintptr_t)1 << 44), 1));
    assert_non_null(fh_samples_map(3 * FH_MIB));
    assert_int_equal(fh_limit_held(), held);
    assert_int_equal(fh_limit.wanted, 0);
    assert_sound();
}

static void a_mapping_does_not_grow_beyond_it(void **state)
{
    (void)state;
    char *p = fh_test_malloc(4 * FH_MIB);
    fh_options.hard_limit = 10 * FH_MIB; /* if it must move, both places count */
    p = fh_test_realloc(p, 5 * FH_MIB);
    assert_non_null(p);
    assert_null(fh_test_realloc(p, 12 * FH_MIB));
    assert_null(fh_test_memalign(1 << 20, 6 * FH_MIB));
    fh_test_free(p);
    assert_sound();
}

static void the_soft_limit_purges(void **state)
{
    (void)state;
    fh_options.soft_limit = 24 * FH_MIB;
    fh_options.give_back = 0;
    static char *blocks[3000];
    for (int i = 0; i < 3000; i++) blocks[i] = fh_test_malloc(5000); /* 15 MB */
    for (int i = 0; i < 2999; i++) fh_test_free(blocks[i]);
    size_t discards = fake_os.calls[FAKE_DISCARD];
    assert_int_equal(fh_limit.wanted, 0);
    char *large = fh_test_malloc(30 * FH_MIB);
    assert_int_equal(fh_limit.wanted, 1);
    fh_test_free(fh_test_malloc(100000)); /* a slow step */
    assert_int_equal(fh_limit.wanted, 0);
    assert_true(fake_os.calls[FAKE_DISCARD] > discards);
    assert_true(fh_heaps_get(0)->free_bytes - fh_heaps_get(0)->purged_bytes < FH_MIB);
    /* It stays above: not once more before there is a sixteenth more. */
    discards = fake_os.calls[FAKE_DISCARD];
    void *little = fh_test_malloc(200000);
    assert_int_equal(fh_limit.wanted, 0);
    void *more = fh_test_malloc(2 * FH_MIB);
    assert_int_equal(fh_limit.wanted, 1);
    fh_test_free(large), fh_test_free(little), fh_test_free(more), fh_test_free(blocks[2999]);
    assert_sound();
}

static int reliefs;
static void count_relief(uint32_t urgency)
{
    (void)urgency;
    reliefs++;
}

static void grow_in_small_blocks_to(size_t bytes)
{
    static size_t allocated;
    for (; allocated < bytes; allocated += 256) assert_non_null(fh_test_malloc(256));
}

/* What a heap buys in reserve stays below the limit: else each new slab is a purge of everything. */
static void reserves_do_not_pass_the_soft_limit(void **state)
{
    (void)state;
    fh_core_tell_pressure = count_relief;
    fh_options.soft_limit = 48 * FH_MIB;
    grow_in_small_blocks_to(45 * FH_MIB);
    assert_int_equal(reliefs, 0);
    assert_true(fake_os.calls[FAKE_BREAK_UP] < 10);
    grow_in_small_blocks_to(60 * FH_MIB); /* that is a sixteenth of the limit five times */
    assert_in_range(reliefs, 3, 6);
    assert_true(fake_os.calls[FAKE_BREAK_UP] < 24);
    assert_sound();
}

static void reserves_do_not_pass_the_next_look(void **state)
{
    (void)state;
    fh_core_tell_pressure = count_relief;
    fake_os.memory_limit = 128 * FH_MIB;
    fake_os.memory_used = 120 * FH_MIB;
    grow_in_small_blocks_to(90 * FH_MIB); /* from half of the limit on a look, and relief, with each 64th */
    assert_in_range(reliefs, 10, 16);
    assert_in_range(fake_os.looks_at_memory, 10, 20);
    assert_true(fake_os.calls[FAKE_BREAK_UP] < 50);
    assert_sound();
}

/* A peak far above the limit is over: what comes up to it again is passed once more. */
static void below_the_soft_limit_a_peak_is_forgotten(void **state)
{
    (void)state;
    fh_core_tell_pressure = count_relief;
    fh_options.soft_limit = 8 * FH_MIB;
    for (int i = 1; i <= 3; i++) {
        void *large = fh_test_malloc(80 * FH_MIB);
        fh_test_free(fh_test_malloc(100000)); /* a slow step */
        assert_int_equal(reliefs, i);
        fh_test_free(large);
        assert_true(fh_limit_held() < 8 * FH_MIB);
    }
    assert_sound();
}

static void grow_to(size_t mib)
{
    static size_t mapped;
    for (; mapped < mib; mapped++) assert_non_null(fh_test_malloc(FH_MIB - 16));
    fh_test_free(fh_test_malloc(100000)); /* a slow step */
}

static void small_programs_never_look(void **state)
{
    (void)state;
    fake_os.memory_limit = 64 * FH_MIB;
    grow_to(24);
    assert_int_equal(fake_os.looks_at_memory, 0);
}

static void without_a_limit_there_is_one_look(void **state)
{
    (void)state;
    grow_to(200);
    assert_int_equal(fake_os.looks_at_memory, 1);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
}

static void near_the_limit_it_becomes_urgent(void **state)
{
    (void)state;
    fake_os.memory_limit = 200 * FH_MIB;
    fake_os.memory_used = 50 * FH_MIB;
    grow_to(90);
    assert_int_equal(fake_os.looks_at_memory, 1); /* less than half is ours: its use does not matter yet */
    grow_to(120);
    assert_true(fake_os.looks_at_memory > 1 && fake_os.looks_at_memory < 12);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    fake_os.memory_used = 180 * FH_MIB;
    grow_to(130);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_SOME);
    fake_os.memory_used = 198 * FH_MIB;
    grow_to(140);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_FULL);
    fake_os.memory_used = 60 * FH_MIB;
    grow_to(150);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    assert_sound();
}

static void who_shrinks_is_in_no_hurry(void **state)
{
    (void)state;
    static void *blocks[120];
    fake_os.memory_limit = 128 * FH_MIB;
    fake_os.memory_used = 127 * FH_MIB;
    for (int i = 0; i < 100; i++) blocks[i] = fh_test_malloc(FH_MIB - 16);
    fh_test_free(fh_test_malloc(100000));
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_FULL);
    /* Above half of the limit it is looked at again, */
    for (int i = 99; i >= 90; i--) fh_test_free(blocks[i]);
    fake_os.memory_used = 115 * FH_MIB;
    for (int i = 89; i >= 80; i--) fh_test_free(blocks[i]);
    fh_test_free(fh_test_malloc(100000));
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_SOME);
    assert_int_equal(fh_limit.wanted, 0);
    /* and below half it is over, without a look. */
    fake_os.memory_used = 127 * FH_MIB;
    for (int i = 79; i >= 60; i--) fh_test_free(blocks[i]);
    size_t looks = fake_os.looks_at_memory;
    for (int i = 59; i >= 0; i--) fh_test_free(blocks[i]);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    fh_test_free(fh_test_malloc(100000));
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    assert_int_equal(fake_os.looks_at_memory, looks);
    assert_sound();
}

static void the_program_and_the_group_speak_for_themselves(void **state)
{
    (void)state;
    fake_os.memory_limit = 64 * FH_MIB;
    assert_int_equal(fh_pressure(FH_PRESSURE_FULL), 0);
    grow_to(40); /* a look: nothing urgent */
    assert_true(fake_os.looks_at_memory > 1);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_FULL);
    assert_int_equal(fh_pressure(FH_PRESSURE_NONE), 0);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_NONE);
    fake_os.memory_used = 60 * FH_MIB;
    grow_to(45);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_SOME);
    assert_int_equal(fh_pressure(FH_PRESSURE_NONE), 0);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_SOME); /* the kernel knows better */
}

/* A fork while another thread was on its way to the first look. */
static void a_child_looks_for_itself(void **state)
{
    (void)state;
    fake_os.memory_limit = 64 * FH_MIB;
    fake_os.memory_used = 60 * FH_MIB;
    fh_limit.next_look_bytes = SIZE_MAX;
    fh_test_free(fh_test_malloc(300000));
    size_t held = fh_limit_held();
    assert_true(fh_limit_take(5 * FH_MIB)); /* nor does it get this */
    fh_fork_prepare();
    fh_fork_child();
    assert_int_equal(fh_limit_held(), held);
    grow_to(40);
    assert_true(fake_os.looks_at_memory > 1);
    assert_int_equal(fh_limit_urgency(), FH_URGENCY_SOME);
    assert_sound();
}

static void urgent_it_keeps_less(void **state)
{
    (void)state;
    static char *blocks[4000];
    fh_limit.asked_urgency = FH_URGENCY_SOME;
    for (int i = 0; i < 4000; i++) blocks[i] = fh_test_malloc(5000);
    for (int i = 0; i < 4000; i++)
        if (i % 5 > 2) fh_test_free(blocks[i]); /* two fifths: by itself it would keep that */
    for (int i = 0; i < 4000; i += 5) fh_test_free(blocks[i]);
    struct fh_heap *heap = fh_heaps_get(0);
    assert_true(heap->returning);
    assert_true(heap->purged_bytes > 0);
    assert_sound();
}

static void mappings_stay_below_a_tenth(void **state)
{
    (void)state;
    fake_os.mappings_most = 3000;
    static char *blocks[1000];
    for (int i = 0; i < 1000; i++) assert_non_null(blocks[i] = fh_test_malloc(200000));
    assert_true(fake_mappings() < 300);
    assert_true(fake_mappings() > 250);
    assert_sound();
    for (int i = 0; i < 1000; i++) fh_test_free(blocks[i]);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_is_limited_by_default),
    cmocka_unit_test(the_hard_limit_is_never_exceeded),
    cmocka_unit_test(who_asks_counts_before_the_answer),
    cmocka_unit_test(shrinking_is_no_question_of_limits),
    cmocka_unit_test(own_tables_do_not_count),
    cmocka_unit_test(a_mapping_does_not_grow_beyond_it),
    cmocka_unit_test(the_soft_limit_purges),
    cmocka_unit_test(reserves_do_not_pass_the_soft_limit),
    cmocka_unit_test(reserves_do_not_pass_the_next_look),
    cmocka_unit_test(below_the_soft_limit_a_peak_is_forgotten),
    cmocka_unit_test(small_programs_never_look),
    cmocka_unit_test(without_a_limit_there_is_one_look),
    cmocka_unit_test(near_the_limit_it_becomes_urgent),
    cmocka_unit_test(who_shrinks_is_in_no_hurry),
    cmocka_unit_test(the_program_and_the_group_speak_for_themselves),
    cmocka_unit_test(a_child_looks_for_itself),
    cmocka_unit_test(urgent_it_keeps_less),
    cmocka_unit_test(mappings_stay_below_a_tenth),
};
UNIT_GROUP(limit);
