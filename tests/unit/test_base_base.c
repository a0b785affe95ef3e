/*
 * test_base_base.c - base.h and list.h: alignment, checked arithmetic, the intrusive list.
 */
#include "unit.h"

#include "list.h"

static void align_up_and_down_agree_with_division(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
        for (size_t n = 0; n <= 9000; n++) {
            assert_int_equal(fh_align_down(n, alignment), n / alignment * alignment);
            assert_int_equal(fh_align_up(n, alignment), (n + alignment - 1) / alignment * alignment);
        }
}

static void checked_align_up_refuses_what_wraps(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        size_t alignment = (size_t)1 << shift, out = 42;
        size_t last = fh_align_down(SIZE_MAX, alignment); /* the greatest number that has a multiple at or above it */
        assert_true(fh_checked_align_up(last, alignment, &out));
        assert_int_equal(out, last);
        if (shift == 0) continue;
        out = 42;
        assert_false(fh_checked_align_up(last + 1, alignment, &out));
        assert_int_equal(out, 42);
        assert_false(fh_checked_align_up(SIZE_MAX, alignment, &out));
        assert_true(fh_checked_align_up(1, alignment, &out));
        assert_int_equal(out, alignment);
    }
}

static void powers_of_two_are_known(void **state)
{
    (void)state;
    assert_false(fh_is_power_of_two(0));
    for (unsigned shift = 0; shift < 64; shift++) {
        size_t n = (size_t)1 << shift;
        assert_true(fh_is_power_of_two(n));
        if (shift > 1) assert_false(fh_is_power_of_two(n - 1));
        if (shift > 0) assert_false(fh_is_power_of_two(n + 1) && n + 1 != 2);
        assert_int_equal(fh_log2_floor(n), shift);
        assert_int_equal(fh_log2_floor(n | (n - 1)), shift);
    }
    assert_int_equal(fh_min(3, SIZE_MAX), 3);
    assert_int_equal(fh_max(3, SIZE_MAX), SIZE_MAX);
}

static void list_keeps_order_and_unlinks(void **state)
{
    (void)state;
    struct item {
        int number;
        struct fh_list link;
    } items[3] = {{1, {NULL, NULL}}, {2, {NULL, NULL}}, {3, {NULL, NULL}}};
    struct fh_list head;
    fh_list_init(&head);
    assert_true(fh_list_is_empty(&head));
    assert_false(fh_list_is_linked(&items[0].link));
    fh_list_push_front(&head, &items[1].link);
    fh_list_push_front(&head, &items[0].link);
    fh_list_push_back(&head, &items[2].link);
    int expected = 1;
    for (struct fh_list *link = head.next; link != &head; link = link->next) {
        assert_int_equal(FH_CONTAINER(link, struct item, link)->number, expected++);
        assert_ptr_equal(link->next->prev, link);
    }
    assert_int_equal(expected, 4);
    fh_list_remove(&items[1].link);
    assert_false(fh_list_is_linked(&items[1].link));
    assert_ptr_equal(items[0].link.next, &items[2].link);
    assert_ptr_equal(items[2].link.prev, &items[0].link);
    fh_list_remove(&items[0].link);
    fh_list_remove(&items[2].link);
    assert_true(fh_list_is_empty(&head));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(align_up_and_down_agree_with_division),
    cmocka_unit_test(checked_align_up_refuses_what_wraps),
    cmocka_unit_test(powers_of_two_are_known),
    cmocka_unit_test(list_keeps_order_and_unlinks),
};
UNIT_GROUP(base);
