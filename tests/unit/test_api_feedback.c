/*
 * test_api_feedback.c - sizes that malloc(3) does not tell, and hints.
 */
#include "unit.h"

#include <errno.h>

#include "large.h"
#include "options.h"

static void at_least_is_all_there_is(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300000; n += n < 3000 ? 1 : 977) {
        struct fh_sized_block block = fh_malloc_at_least(n);
        assert_non_null(block.pointer);
        assert_true(block.size_bytes >= n);
        assert_int_equal(block.size_bytes, fh_test_malloc_usable_size(block.pointer));
        memset(block.pointer, 0x55, block.size_bytes);
        fh_test_free(block.pointer);
    }
    assert_sound();
}

static void at_least_can_fail(void **state)
{
    (void)state;
    errno = 0;
    struct fh_sized_block block = fh_malloc_at_least(SIZE_MAX / 2 + 1);
    assert_null(block.pointer);
    assert_int_equal(block.size_bytes, 0);
    assert_int_equal(errno, ENOMEM);
}

static void good_sizes_cost_no_more(void **state)
{
    (void)state;
    /* Every small size, some others, and every one around the mmap threshold. */
    for (size_t n = 0; n < 400000; n += n < 3000 || (n >= 131000 && n < 131100) ? 1 : n < 131000 ? 1000 : 1009) {
        size_t good = fh_good_size(n);
        assert_true(good >= n && good > 0);
        assert_int_equal(fh_good_size(good), good);
        void *of_n = fh_test_malloc(n), *of_good = fh_test_malloc(good);
        /* What is left of a free chunk and too small to be one is part of the block. */
        assert_in_range(fh_test_malloc_usable_size(of_good), good, fh_test_malloc_usable_size(of_n) + 32);
        fh_test_free(of_n), fh_test_free(of_good);
    }
    assert_int_equal(fh_good_size(SIZE_MAX), 0);
    assert_int_equal(fh_good_size((size_t)PTRDIFF_MAX + 1), 0);
    assert_true(fh_good_size(PTRDIFF_MAX) == PTRDIFF_MAX);
    assert_sound();
}

static void good_sizes_follow_the_page_size(void **state)
{
    (void)state;
    fake_os.page_size = 65536;
    assert_int_equal((fh_good_size(200000) + FH_LARGE_HEAD_BYTES) % 65536, 0);
    assert_true(fh_good_size(200000) >= 200000);
}

static void ask_of_freed(void *pointer) { fh_should_move(pointer); }

static void nothing_is_hinted_of_nothing(void **state)
{
    (void)state;
    assert_int_equal(fh_should_move(NULL), 0);
    assert_null(fh_move(NULL));
    assert_int_equal(fh_should_move_batch(NULL, 0, NULL), 0);
    char *small = fh_test_malloc(40), *medium = fh_test_malloc(4000), *large = fh_test_malloc(400000);
    void *all[] = {small, medium, large, NULL};
    unsigned char answers[4] = {9, 9, 9, 9};
    assert_int_equal(fh_should_move_batch(all, 4, answers), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(answers[i], 0);
    fh_test_free(small);
    assert_true(unit_aborts(ask_of_freed, small));
    assert_said("double free");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(at_least_is_all_there_is),
    cmocka_unit_test(at_least_can_fail),
    cmocka_unit_test(good_sizes_cost_no_more),
    cmocka_unit_test(good_sizes_follow_the_page_size),
    cmocka_unit_test(nothing_is_hinted_of_nothing),
};
UNIT_GROUP(feedback);
