/*
 * test_heap_heap_huge.c - growth by huge pages: from which size on, where, until when, and what of it counts as being
 * in memory.
 */
#include "unit.h"

#include "core.h"
#include "counters.h"
#include "heap.h"
#include "options.h"

enum { SOME = 10000, HUGE_PAGE = 2 << 20, AT = 4 << 20 };
static struct fh_heap *heap;

static void set_up(bool huge_pages)
{
    fake_os.huge_pages = huge_pages;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
}

static char *get(size_t request)
{
    char *pointer = fh_heap_alloc(heap, request, 16, NULL);
    assert_non_null(pointer);
    unit_fill(pointer, fh_min(request, 1000), (unsigned)request);
    return pointer;
}

/* The last block of a heap that has just begun to grow by huge pages. */
static char *grow_to_first(void)
{
    char *last = NULL;
    for (size_t got = 0; !fake_os.huge_to && got < 4 * AT; got += SOME) last = get(SOME);
    assert_non_null(fake_os.huge_to);
    return last;
}

static void a_small_heap_gets_none(void **state)
{
    (void)state;
    set_up(true);
    while (heap->used_bytes < AT - SOME) {
        get(SOME);
        assert_null(fake_os.huge_to);
        assert_ptr_equal(heap->backed, heap->fresh);
    }
    assert_sound();
}

static void a_larger_one_gets_them_for_all_growth_ahead(void **state)
{
    (void)state;
    set_up(true);
    grow_to_first();
    char *from = fake_os.huge_from;
    size_t with = 0, without = 0, moves = 0;
    for (; heap->used_bytes < 20 * AT; get(SOME)) {
        assert_int_equal((uintptr_t)fake_os.huge_from % HUGE_PAGE, 0);
        assert_int_equal((uintptr_t)fake_os.huge_to % HUGE_PAGE, 0);
        assert_true(fake_os.huge_to <= (char *)heap->growing + heap->growing->size);
        moves += fake_os.huge_from != from;
        from = fake_os.huge_from;
        assert_true(heap->backed >= heap->fresh && heap->backed < heap->fresh + HUGE_PAGE);
        if (heap->backed == heap->fresh) without++;
        else with++;
        if (heap->fresh < from || heap->backed == heap->fresh) continue;
        assert_int_equal((uintptr_t)heap->backed % HUGE_PAGE, 0);
    }
    assert_true(with > 8 * without);
    assert_true(moves <= 1); /* before the heap was large, the end of its segment cut one off */
    assert_true(fake_os.calls[FAKE_HUGE] <= 4); /* with the logarithm of the heap */
    assert_sound();
}

static void what_goes_back_is_not_filled_again(void **state)
{
    (void)state;
    set_up(true);
    char *last = grow_to_first();
    enum { MANY = 4 * AT / SOME, EVERY = 16 };
    static void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++) blocks[i] = get(SOME);
    get(SOME);
    assert_non_null(fake_os.huge_to);
    size_t before = fake_os.calls[FAKE_DISCARD];
    for (size_t i = 0; i < MANY; i++)
        if (i % EVERY) fh_heap_free(heap, blocks[i]); /* no huge page is free */
    assert_true(fake_os.calls[FAKE_DISCARD] > before);
    assert_null(fake_os.huge_to);
    unit_assert_filled(last, 1000, SOME);
    assert_sound();
    /* What is wanted again is filled by huge pages once more. */
    size_t regrets = heap->taken_again_bytes;
    for (size_t i = 0; i < MANY; i++)
        if (i % EVERY) blocks[i] = get(SOME);
    assert_true(heap->taken_again_bytes > regrets + FH_MIB / 2);
    assert_non_null(fake_os.huge_to);
    assert_sound();
}

/* Whole huge pages go without a page being split, and come again the same way. */
static void whole_ones_go_and_come_as_they_are(void **state)
{
    (void)state;
    set_up(true);
    grow_to_first();
    enum { MANY = 6 * AT / SOME };
    static void *blocks[MANY];
    for (size_t i = 0; i < MANY; i++) blocks[i] = get(SOME);
    void *last = get(SOME);
    for (size_t i = 0; i < MANY / 2; i++) get(SOME); /* something stays in use */
    char *huge_from = fake_os.huge_from;
    assert_non_null(huge_from);
    for (size_t i = 0; i < MANY; i++) fh_heap_free(heap, blocks[i]);
    assert_true(heap->purged_bytes >= MANY * (size_t)SOME - FH_MIB * 8);
    assert_int_equal(heap->purged_bytes % HUGE_PAGE, 0); /* none is split */
    assert_ptr_equal(fake_os.huge_from, huge_from);
    assert_sound();
    size_t purged = heap->purged_bytes;
    while (heap->purged_bytes == purged) get(SOME);
    assert_int_equal(heap->purged_bytes, purged - HUGE_PAGE); /* one fault brings all of it */
    assert_sound();
    fh_heap_free(heap, last);
    assert_sound();
}

static void what_it_brings_is_in_memory_and_still_zero(void **state)
{
    (void)state;
    set_up(true);
    grow_to_first();
    struct fh_counters_detailed account;
    fh_counters_read_detailed(&account);
    size_t untouched = (size_t)((char *)heap->growing + heap->growing->size - heap->backed);
    assert_in_range(account.heaps[0].untouched_bytes, untouched - 64, untouched);
    bool zeroed = false;
    char *block = fh_heap_alloc(heap, SOME, 16, &zeroed);
    assert_true(zeroed);
    for (int i = 0; i < SOME; i++) assert_int_equal(block[i], 0);
    assert_sound();
}

static void a_kernel_without_them_is_ordinary(void **state)
{
    (void)state;
    set_up(false);
    while (heap->used_bytes < 4 * AT) {
        get(SOME);
        assert_ptr_equal(heap->backed, heap->fresh);
    }
    assert_sound();
}

static void the_option_moves_the_size(void **state)
{
    (void)state;
    set_up(true);
    fh_options.huge_pages = SIZE_MAX;
    while (heap->used_bytes < 4 * AT) get(SOME);
    assert_null(fake_os.huge_to);
    fh_options.huge_pages = 0;
    for (int i = 0; i < 2 * HUGE_PAGE / SOME; i++) get(SOME);
    assert_non_null(fake_os.huge_to);
    assert_sound();
}

/* By the break and, where that is refused, by pages: both end below the stretch. */
static void a_trim_ends_it(void **state)
{
    (void)state;
    set_up(true);
    fh_options.huge_pages = HUGE_PAGE;
    for (int refused = 0; refused < 2; refused++) {
        size_t before = heap->used_bytes;
        char *last = get(HUGE_PAGE), *block = get(4 * HUGE_PAGE);
        assert_true(heap->huge_to > block);
        if (refused) fake_refuse(FAKE_BREAK_DOWN);
        fh_heap_free(heap, block);
        fh_heap_trim(heap, 0);
        assert_true(heap->used_bytes >= before + HUGE_PAGE);
        assert_ptr_equal(heap->huge_to, fake_os.huge_to);
        assert_true(heap->huge_to <= heap->backed);
        assert_true(heap->backed <= (char *)heap->top + 2 * 4096);
        assert_in_range((uintptr_t)heap->fresh, (uintptr_t)heap->top, (uintptr_t)heap->backed);
        assert_sound();
        unit_assert_filled(last, 1000, HUGE_PAGE);
        assert_true(get(4 * HUGE_PAGE) != NULL); /* and growth begins it again */
        assert_true(fake_os.huge_to > heap->fresh - HUGE_PAGE);
        assert_sound();
    }
}

static char *advised_to;
static void note_advice(size_t bytes)
{
    (void)bytes;
    if (fake_os.huge_to) advised_to = fake_os.huge_to;
}

/* Nor is what goes from between blocks, asked for: the advice ends before the first page goes. */
static void what_a_trim_takes_is_not_filled_again(void **state)
{
    (void)state;
    enum { BLOCKS = 2 * AT / SOME };
    static char *blocks[BLOCKS];
    set_up(true);
    fh_options.give_back = 0; /* not by itself */
    grow_to_first();
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = get(SOME);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 8) fh_heap_free(heap, blocks[i]);
    assert_non_null(fake_os.huge_to);
    advised_to = NULL;
    fake_os.on_discard = note_advice;
    assert_true(fh_heap_trim(heap, 0));
    fake_os.on_discard = NULL;
    assert_true(heap->purged_bytes > AT);
    assert_null(advised_to);
    for (size_t i = 0; i < BLOCKS; i += 8) unit_assert_filled(blocks[i], 1000, SOME);
    assert_sound();
}

/* What one huge page brings is no surplus yet: the top stays until it has more. */
static void a_heap_that_grows_so_keeps_a_page_of_top(void **state)
{
    (void)state;
    set_up(true);
    char *last = grow_to_first();
    for (int i = 0; i < 20; i++) last = get(SOME);
    size_t calls = fake_os.calls[FAKE_BREAK_DOWN];
    char *block = get(FH_MIB);
    fh_heap_free(heap, block);
    assert_int_equal(fake_os.calls[FAKE_BREAK_DOWN], calls);
    block = get(3 * HUGE_PAGE);
    fh_heap_free(heap, block);
    assert_int_equal(fake_os.calls[FAKE_BREAK_DOWN], calls + 1);
    unit_assert_filled(last, 1000, SOME);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_small_heap_gets_none),
    cmocka_unit_test(a_larger_one_gets_them_for_all_growth_ahead),
    cmocka_unit_test(what_goes_back_is_not_filled_again),
    cmocka_unit_test(whole_ones_go_and_come_as_they_are),
    cmocka_unit_test(what_it_brings_is_in_memory_and_still_zero),
    cmocka_unit_test(a_kernel_without_them_is_ordinary),
    cmocka_unit_test(the_option_moves_the_size),
    cmocka_unit_test(a_trim_ends_it),
    cmocka_unit_test(what_a_trim_takes_is_not_filled_again),
    cmocka_unit_test(a_heap_that_grows_so_keeps_a_page_of_top),
};
UNIT_GROUP(heap_huge);
