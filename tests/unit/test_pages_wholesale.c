/*
 * test_pages_wholesale.c - the ledger: what is obtained and returned, for every call and every refusal.
 */
#include "unit.h"

#include "wholesale.h"

enum { KIB = 1024, PAGE = 4096 };

/* obtained, returned, stranded, mappings. */
static void assert_ledger(size_t obtained, size_t returned, size_t stranded, size_t mappings)
{
    assert_int_equal(fh_wholesale.obtained_bytes, obtained);
    assert_int_equal(fh_wholesale.returned_bytes, returned);
    assert_int_equal(fh_wholesale.stranded_bytes, stranded);
    assert_int_equal(fh_wholesale.mappings, mappings);
    assert_int_equal(fake_contract_errors(), 0);
}

static void map_and_unmap(void **state)
{
    (void)state;
    assert_ledger(0, 0, 0, 0);
    char *p = fh_wholesale_map(3 * PAGE);
    assert_non_null(p);
    assert_true(unit_is_zero(p, 3 * PAGE));
    assert_ledger(3 * PAGE, 0, 0, 1);
    fake_refuse_kth(FAKE_MAP, 1);
    assert_null(fh_wholesale_map(PAGE));
    assert_ledger(3 * PAGE, 0, 0, 1);
    fake_refuse_kth(FAKE_UNMAP, 1);
    assert_false(fh_wholesale_unmap(p, 3 * PAGE));
    assert_ledger(3 * PAGE, 0, 0, 1);
    assert_true(fh_wholesale_unmap(p, 3 * PAGE));
    assert_ledger(3 * PAGE, 3 * PAGE, 0, 0);
    assert_int_equal(fake_mapped_bytes(), 0);
}

static void aligned_maps_keep_nothing_else(void **state)
{
    (void)state;
    size_t obtained = 0;
    for (size_t page = 4 * KIB; page <= 64 * KIB; page *= 4)
        for (size_t alignment = 4 * KIB; alignment <= 1024 * KIB; alignment *= 2)
            for (size_t start = 0; start < 2; start++) {
                fake_os.page_size = page;
                char *somewhere =
                    (char *)fh_align_up((uintptr_t)fake_leaf_border(), 1 << 20) + 64 * KIB * (1 + start * 7);
                fake_place_next_map(somewhere);
                char *p = fh_wholesale_map_aligned(2 * page, alignment);
                assert_non_null(p);
                assert_aligned(p, alignment);
                assert_int_equal(fake_mapped_bytes(), 2 * page);
                assert_int_equal(fake_mappings(), 1);
                p[0] = p[2 * page - 1] = 1;
                obtained += 2 * page;
                assert_int_equal(fh_wholesale.obtained_bytes, obtained);
                assert_true(fh_wholesale_unmap(p, 2 * page));
                assert_ledger(obtained, obtained, 0, 0);
            }
}

static void aligned_maps_may_be_refused(void **state)
{
    (void)state;
    assert_null(fh_wholesale_map_aligned(SIZE_MAX - 4095, 1 << 20)); /* size + alignment wraps */
    assert_int_equal(fake_os.calls[FAKE_MAP], 0);
    fake_refuse_kth(FAKE_MAP, 1);
    assert_null(fh_wholesale_map_aligned(PAGE, 64 * KIB));
    /* Each end that can't be cut off: all of it goes back. */
    for (size_t k = 1; k <= 2; k++) {
        fake_place_next_map(fake_leaf_border() + 64 * KIB * 10 + PAGE);
        fake_refuse_kth(FAKE_UNMAP, k);
        assert_null(fh_wholesale_map_aligned(PAGE, 64 * KIB));
        assert_int_equal(fake_os.calls[FAKE_UNMAP], fake_os.refuse_at[FAKE_UNMAP] + 1);
        assert_int_equal(fake_mapped_bytes(), 0);
        assert_ledger(fh_wholesale.returned_bytes, fh_wholesale.returned_bytes, 0, 0);
    }
    /* No end can be cut off, and the whole can't be given back: it is stranded, and counted. */
    fake_place_next_map(fake_leaf_border() + 64 * KIB * 50 + PAGE);
    fake_refuse(FAKE_UNMAP);
    assert_null(fh_wholesale_map_aligned(PAGE, 64 * KIB));
    assert_int_equal(fh_wholesale.obtained_bytes - fh_wholesale.returned_bytes, fake_mapped_bytes());
    assert_int_equal(fh_wholesale.stranded_bytes, fake_mapped_bytes());
}

static void discard_counts_what_is_stranded(void **state)
{
    (void)state;
    char *p = fh_wholesale_map(4 * PAGE);
    p[0] = 1;
    fake_refuse(FAKE_UNMAP);
    fh_wholesale_discard(p, 4 * PAGE);
    assert_ledger(4 * PAGE, 0, 4 * PAGE, 1);
    assert_int_equal(p[0], 0); /* its pages are gone all the same */
    fake_allow_all();
    char *q = fh_wholesale_map(PAGE);
    fh_wholesale_discard(q, PAGE);
    assert_ledger(5 * PAGE, PAGE, 4 * PAGE, 1);
}

static void remap_in_place(void **state)
{
    (void)state;
    char *p = fh_wholesale_map(4 * PAGE);
    assert_true(fh_wholesale_remap(p, 4 * PAGE, 6 * PAGE));
    assert_ledger(6 * PAGE, 0, 0, 1);
    assert_true(fh_wholesale_remap(p, 6 * PAGE, PAGE));
    assert_ledger(6 * PAGE, 5 * PAGE, 0, 1);
    assert_true(fh_wholesale_remap(p, PAGE, PAGE));
    assert_ledger(6 * PAGE, 5 * PAGE, 0, 1);
    fake_refuse(FAKE_REMAP);
    assert_false(fh_wholesale_remap(p, PAGE, 2 * PAGE));
    assert_ledger(6 * PAGE, 5 * PAGE, 0, 1);
    assert_int_equal(fake_mapped_bytes(), PAGE);
}

static void move_replaces_the_target(void **state)
{
    (void)state;
    char *p = fh_wholesale_map(2 * PAGE), *q = fh_wholesale_map(3 * PAGE);
    unit_fill(p, 2 * PAGE, 3);
    fake_refuse_kth(FAKE_MOVE, 1);
    assert_false(fh_wholesale_move(p, 2 * PAGE, q, 3 * PAGE));
    assert_ledger(5 * PAGE, 0, 0, 2);
    unit_assert_filled(p, 2 * PAGE, 3);
    assert_true(fh_wholesale_move(p, 2 * PAGE, q, 3 * PAGE));
    assert_ledger(5 * PAGE, 2 * PAGE, 0, 1);
    unit_assert_filled(q, 2 * PAGE, 3);
    assert_int_equal(fake_mapped_bytes(), 3 * PAGE);
}

static void break_goes_up_and_down(void **state)
{
    (void)state;
    char *start = fake_break();
    assert_ptr_equal(fh_wholesale_break_up(NULL, 8 * PAGE), start); /* already on a page's start */
    assert_ptr_equal(fake_break(), start + 8 * PAGE);
    assert_ptr_equal(fh_wholesale_break_up(start + 8 * PAGE, PAGE), start + 8 * PAGE);
    assert_ledger(9 * PAGE, 0, 0, 0);
    assert_true(fh_wholesale_break_down(start + 9 * PAGE, start + 2 * PAGE));
    assert_ptr_equal(fake_break(), start + 2 * PAGE);
    assert_ledger(9 * PAGE, 7 * PAGE, 0, 0);
    assert_false(fh_wholesale_break_down(start + 3 * PAGE, start)); /* it is not there */
    fake_refuse_kth(FAKE_BREAK_DOWN, 1);
    assert_false(fh_wholesale_break_down(start + 2 * PAGE, start));
    fake_refuse_kth(FAKE_BREAK_UP, 1);
    assert_null(fh_wholesale_break_up(start + 2 * PAGE, PAGE));
    fake_refuse_kth(FAKE_BREAK, 1);
    assert_null(fh_wholesale_break_up(start + 2 * PAGE, PAGE));
    fake_refuse_kth(FAKE_BREAK, 1);
    assert_false(fh_wholesale_break_down(start + 2 * PAGE, start));
    assert_ledger(9 * PAGE, 7 * PAGE, 0, 0);
    assert_null(fh_wholesale_break_up(start + 2 * PAGE, SIZE_MAX - 4095)); /* wraps */
    assert_ptr_equal(fake_break(), start + 2 * PAGE);
}

static void somebody_else_moves_the_break(void **state)
{
    (void)state;
    char *start = fake_break();
    assert_ptr_equal(fh_wholesale_break_up(start, 8 * PAGE), start);
    fake_foreign_sbrk(100);
    assert_false(fh_wholesale_break_down(start + 8 * PAGE, start)); /* theirs is above ours */
    assert_ptr_equal(fh_wholesale_break_up(start + 8 * PAGE, 2 * PAGE), start + 9 * PAGE);
    assert_ptr_equal(fake_break(), start + 11 * PAGE);
    assert_ledger(10 * PAGE, 0, 0, 0);
    fake_os.page_size = 64 * KIB;
    fake_foreign_sbrk(100);
    char *next = fh_wholesale_break_up(start + 11 * PAGE, 64 * KIB);
    assert_aligned(next, 64 * KIB);
    assert_true(next > start + 11 * PAGE && next <= start + 11 * PAGE + 64 * KIB);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(map_and_unmap),
    cmocka_unit_test(aligned_maps_keep_nothing_else),
    cmocka_unit_test(aligned_maps_may_be_refused),
    cmocka_unit_test(discard_counts_what_is_stranded),
    cmocka_unit_test(remap_in_place),
    cmocka_unit_test(move_replaces_the_target),
    cmocka_unit_test(break_goes_up_and_down),
    cmocka_unit_test(somebody_else_moves_the_break),
};
UNIT_GROUP(wholesale);
