/*
 * test_large_large.c - mappings of their own: alignment, resizing, refusals at each call, what is kept warm and when.
 */
#include "unit.h"

#include "guard.h"
#include "large.h"
#include "options.h"
#include "pagemap.h"
#include "wholesale.h"

enum { BIG = 200000 };

static size_t leaf_bytes(void) { return fh_wholesale.pagemap_bytes; }

static char *get(size_t request, size_t alignment)
{
    bool zeroed = false;
    char *p = fh_large_alloc(request, alignment, &zeroed);
    if (!p) return NULL;
    assert_aligned(p, alignment);
    if (zeroed) assert_true(unit_is_zero(p, fh_min(request, 8192)));
    unit_fill(p, fh_min(request, 8192), (unsigned)request);
    if (request) p[request - 1] = 1;
    return p;
}

static void assert_nothing_left(void)
{
    assert_int_equal(fh_large_counts.blocks, 0);
    assert_int_equal(fh_large_counts.mapping_bytes, 0);
    assert_int_equal(fh_large_counts.head_bytes, 0);
    assert_int_equal(fh_large_counts.warm_blocks, 0);
    assert_int_equal(fh_large_counts.warm_bytes, 0);
    assert_int_equal(fake_mapped_bytes(), leaf_bytes());
    assert_int_equal(fh_pagemap_next(0), 0);
    assert_sound();
}

static void a_block_has_its_mapping_and_gives_it_back(void **state)
{
    (void)state;
    for (size_t page = 4096; page <= 65536; page *= 4) {
        fake_os.page_size = page;
        for (size_t request = 0; request < 4 * BIG; request = request * 2 + 4095) {
            size_t before = fake_mapped_bytes() - leaf_bytes();
            char *p = get(request, 16);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % page, FH_LARGE_HEAD_BYTES);
            size_t mapped = fake_mapped_bytes() - leaf_bytes() - before;
            assert_int_equal(mapped, fh_align_up(fh_max(request, 1) + FH_LARGE_HEAD_BYTES, page));
            assert_int_equal(fh_large_usable(p), mapped - FH_LARGE_HEAD_BYTES);
            assert_int_equal(fh_entry_kind(fh_pagemap_get(p)), FH_PAGE_LARGE);
            assert_true(fh_large_is_sound(p));
            assert_int_equal(fh_large_counts.blocks, 1);
            assert_int_equal(fh_large_counts.mapping_bytes, mapped);
            assert_sound();
            fh_large_free(p);
            fh_large_purge(); /* sizes of one page size come again with the next */
            assert_nothing_left();
        }
    }
}

static void alignments_from_16_to_a_mebibyte(void **state)
{
    (void)state;
    for (size_t page = 4096; page <= 65536; page *= 4)
        for (size_t alignment = 16; alignment <= FH_MIB; alignment *= 2)
            for (int odd = 0; odd < 3; odd++) {
                fake_os.page_size = page;
                assert_true(fh_pagemap_prepare(fake_leaf_border(), 1));
                fake_place_next_map(fake_leaf_border() + 65536 * (size_t)(1 + odd * 7));
                char *p = get(BIG, alignment);
                assert_non_null(p);
                size_t usable = fh_large_usable(p);
                assert_true(usable >= BIG && usable < BIG + page + alignment);
                assert_true(fh_large_is_sound(p));
                /* In front of the pointer lies at most a page. */
                assert_true(fh_large_counts.head_bytes <= fh_max(page, FH_LARGE_HEAD_BYTES));
                p[usable - 1] = 1;
                if (odd == 0) assert_sound();
                fh_large_free(p);
                fh_large_purge();
                assert_int_equal(fh_large_counts.blocks, 0);
                assert_int_equal(fake_mapped_bytes(), leaf_bytes());
            }
    assert_nothing_left();
}

static void a_block_of_no_bytes_lies_within_its_mapping(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= FH_MIB; alignment *= 2) {
        char *p = get(0, alignment);
        assert_non_null(p);
        assert_true(fh_large_usable(p) > 0 && fake_is_mapped(p, 1));
        fh_large_free(p);
        fh_large_purge();
    }
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment; alignment *= 2) {
        for (size_t below = 0; below < 70000; below += 4095) assert_null(get(SIZE_MAX - below, alignment));
        assert_null(get(PTRDIFF_MAX, alignment));
    }
    assert_null(get(0, (size_t)1 << 63));
    assert_int_equal(fake_os.calls[FAKE_UNMAP] + fh_wholesale.obtained_bytes, 0);
}

static void each_call_of_an_allocation_is_refused_in_turn(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= FH_MIB; alignment *= 16)
        for (size_t k = 1; k <= 3; k++) {
            fake_place_next_map(fake_leaf_border() + 65536 + 65536 * 100 * k * alignment / 16 % FH_MIB);
            fake_refuse_kth(FAKE_MAP, k);
            char *p = get(BIG, alignment);
            if (p) fh_large_free(p);
            fh_large_purge();
            assert_nothing_left();
            fake_allow_all();
            fake_refuse_kth(FAKE_UNMAP, k);
            p = get(BIG, alignment);
            if (p) {
                assert_sound();
                fake_allow_all();
                fh_large_free(p);
                fh_large_purge();
            }
            assert_nothing_left();
            fake_allow_all();
        }
    fake_refuse(FAKE_MAP);
    assert_null(get(BIG, 16));
    assert_nothing_left();
}

static void a_refused_unmap_strands_the_mapping(void **state)
{
    (void)state;
    char *p = get(BIG, 16);
    fake_refuse(FAKE_UNMAP);
    fh_large_free(p);
    assert_int_equal(fh_large_counts.blocks, 0);
    assert_int_equal(fh_wholesale.stranded_bytes, fh_align_up(BIG + 16, 4096));
    assert_int_equal(fh_pagemap_get(p), 0);
    assert_int_equal(p[100], 0);
    assert_sound();
}

static void the_number_of_mappings_is_limited(void **state)
{
    (void)state;
    fh_options.mmap_max = 2;
    char *a = get(BIG, 16), *b = get(BIG, 16);
    assert_non_null(b);
    assert_null(get(BIG, 16));
    fh_large_free(a);
    a = get(BIG, 16);
    assert_non_null(a);
    fh_options.mmap_max = 0;
    fh_large_free(a), fh_large_free(b);
    assert_null(get(BIG, 16));
}

static void resize_in_place_and_by_moving(void **state)
{
    (void)state;
    static const size_t alignments[] = {16, 256, 4096, 65536};
    for (size_t i = 0; i < 4; i++) {
        char *p = get(BIG, alignments[i]);
        size_t usable = fh_large_usable(p);
        assert_ptr_equal(fh_large_resize(p, usable), p); /* the same pages: nothing is asked of the kernel */
        assert_ptr_equal(fh_large_resize(p, usable - 100), p);
        assert_int_equal(fake_os.calls[FAKE_REMAP], 0);
        assert_ptr_equal(fh_large_resize(p, usable + 1), p);
        assert_int_equal(fh_large_usable(p), usable + 4096);
        unit_assert_filled(p, 8192, BIG);
        assert_sound();
        assert_ptr_equal(fh_large_resize(p, 10000), p);
        assert_true(fh_large_usable(p) >= 10000 && fh_large_usable(p) < 10000 + 4096);
        assert_sound();
        fake_refuse(FAKE_REMAP);
        char *q = fh_large_resize(p, 3 * BIG);
        assert_non_null(q);
        assert_ptr_not_equal(q, p);
        unit_assert_filled(q, 8192, BIG);
        assert_true(unit_is_zero(q + fh_align_up(10000, 4096) + 4096, 2 * BIG));
        assert_true(fh_large_usable(q) >= 3 * BIG);
        assert_int_equal(fh_pagemap_get(p), 0);
        assert_sound();
        fake_allow_all();
        fh_large_free(q);
        assert_nothing_left();
        fake_os.calls[FAKE_REMAP] = 0;
    }
}

static void resize_refused_at_each_call_keeps_the_block(void **state)
{
    (void)state;
    char *p = get(BIG, 16);
    size_t usable = fh_large_usable(p);
    for (int round = 0; round < 4; round++) {
        fake_refuse(FAKE_REMAP);
        if (round == 0) fake_refuse(FAKE_MAP);
        if (round == 1) fake_refuse(FAKE_MOVE);
        if (round == 2) fake_refuse(FAKE_MOVE), fake_refuse(FAKE_UNMAP);
        if (round == 3) { /* the target lies where the page map has no leaf, and there is none to be had */
            fake_place_next_map(fake_leaf_border() + 65536);
            fake_refuse_kth(FAKE_MAP, 2);
        }
        assert_null(fh_large_resize(p, 4 * BIG));
        fake_allow_all();
        assert_true(fh_large_is_sound(p));
        assert_int_equal(fh_large_usable(p), usable);
        assert_int_equal(fh_entry_kind(fh_pagemap_get(p)), FH_PAGE_LARGE);
        unit_assert_filled(p, 8192, BIG);
        assert_sound();
    }
    assert_null(fh_large_resize(p, SIZE_MAX));
    assert_null(fh_large_resize(p, SIZE_MAX - 4096));
    assert_null(fh_large_resize(p, SIZE_MAX - 16));
    assert_int_equal(fh_large_usable(p), usable);
    fh_large_free(p);
    assert_sound();
}

/* A size that is freed and asked for again is kept from the second time on. */
static void what_is_wanted_again_is_kept(void **state)
{
    (void)state;
    fh_large_free(get(BIG, 16));
    assert_int_equal(fh_large_counts.warm_blocks, 0); /* back at once (W3) */
    char *p = get(BIG, 16); /* asked for again */
    fh_large_free(p);
    assert_int_equal(fh_large_counts.warm_blocks, 1);
    assert_sound();
    size_t maps = fake_os.calls[FAKE_MAP];
    for (int i = 0; i < 100; i++) {
        char *again = get(BIG, 16);
        assert_ptr_equal(again, p);
        assert_int_equal(fh_large_counts.warm_blocks, 0);
        fh_large_free(again);
    }
    assert_int_equal(fake_os.calls[FAKE_MAP], maps);
    assert_sound();
    /* It serves a request of a little less, not of much less, and none of more. */
    char *less = get(BIG - 15000, 16);
    assert_ptr_equal(less, p);
    assert_false(fh_guard_is_marked(less));
    fh_large_free(less);
    char *much_less = get(BIG / 2, 16), *more = get(BIG + 10000, 16), *aligned = get(BIG, 4096);
    assert_int_equal(fh_large_counts.warm_blocks, 1);
    assert_true(much_less != p && more != p && aligned != p);
    fh_large_free(much_less), fh_large_free(more), fh_large_free(aligned);
    assert_true(fh_large_purge());
    assert_false(fh_large_purge());
    assert_nothing_left();
}

static void what_is_kept_and_not_wanted_goes(void **state)
{
    (void)state;
    fh_large_free(get(BIG, 16));
    fh_large_free(get(BIG, 16));
    assert_int_equal(fh_large_counts.warm_blocks, 1);
    int frees = 0;
    for (; frees < 100 && fh_large_counts.warm_blocks; frees++)
        fh_large_free(get(BIG + (size_t)(frees + 5) * 40000, 16));
    if (frees < 8 || frees > 20) fail_msg("gone after %d frees", frees);
    assert_nothing_left();
}

static void only_a_few_are_kept(void **state)
{
    (void)state;
    char *blocks[8];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) blocks[i] = get(BIG, 16);
        for (int i = 0; i < 8; i++) fh_large_free(blocks[i]);
        assert_true(fh_large_counts.warm_blocks <= 4);
        assert_sound();
    }
    assert_true(fh_large_counts.warm_blocks > 0);
    fh_large_purge();
    /* One that is too large to keep goes back each time. */
    for (int i = 0; i < 4; i++) {
        fh_large_free(get(33 * FH_MIB, 16));
        assert_int_equal(fh_large_counts.warm_blocks, 0);
    }
    assert_nothing_left();
}

/* Buffers in a row raise the threshold to the size of the last; when each is a little larger than the one before, some
 * way beyond it, so that most of them are below. */
static void the_threshold_follows_a_growing_buffer(void **state)
{
    (void)state;
    size_t size = 140000;
    int mapped = 0;
    for (int i = 0; i < 200; i++, size += 2000) {
        if (size < fh_large_threshold()) continue; /* the caller takes it from a heap */
        fh_large_free(get(size, 16));
        mapped++;
    }
    assert_true(mapped >= 16 && mapped < 40);
    assert_true(fh_large_threshold() > size / 2 && fh_large_threshold() < 2 * size);
    for (int i = 0; i < 6; i++) fh_large_lower_threshold();
    assert_int_equal(fh_large_threshold(), 128 * 1024);
    fh_large_purge();
    assert_nothing_left();
}

/* The kernel fills what a mapping grows by, as it fills a new one: soon after frees it counts alike. */
static void growth_after_frees_raises_the_threshold(void **state)
{
    (void)state;
    enum { ROUNDS = 24 };
    void *freed[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) freed[i] = get(140000, 16);
    size_t size = 140000;
    void *growing = get(size, 16);
    for (int i = 0; i < ROUNDS; i++) growing = fh_large_resize(growing, size += 100000);
    assert_int_equal(fh_large_threshold(), 128 * 1024); /* nothing was freed: no mapping would have done instead */
    for (int i = 0; i < ROUNDS; i++) {
        fh_large_free(freed[i]);
        growing = fh_large_resize(growing, size += 100000);
    }
    assert_true(fh_large_threshold() > size - 8 * 100000 && fh_large_threshold() < 2 * size);
    growing = fh_large_resize(growing, size / 2);
    fh_large_free(growing);
    for (int i = 0; i < 8; i++) fh_large_lower_threshold();
    assert_int_equal(fh_large_threshold(), 128 * 1024);
    fh_large_purge();
    assert_nothing_left();
}

static void free_it(void *pointer) { fh_large_free(pointer); }

static void misuse_is_seen(void **state)
{
    (void)state;
    fh_large_free(get(BIG, 16));
    char *p = get(BIG, 16);
    fh_large_free(p); /* kept: still mapped */
    unit_expect_fault(free_it, p, "double free: 0x%zx, %zu bytes, in a mapping", (size_t)p,
                      fh_align_up(BIG + 16, 4096) - 16);
    fh_large_purge();
    p = get(BIG, 16);
    for (unsigned bit = 0; bit < 128; bit++) {
        p[-16 + (int)bit / 8] ^= (char)(1 << bit % 8);
        assert_false(fh_large_is_sound(p));
        unit_expect_fault(free_it, p, "damaged chunk header: 0x%zx, size unknown, in a mapping", (size_t)p);
        p[-16 + (int)bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(fh_large_is_sound(p));
    assert_false(fh_large_is_sound(p + 16));
    fh_large_free(p);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_block_has_its_mapping_and_gives_it_back),
    cmocka_unit_test(alignments_from_16_to_a_mebibyte),
    cmocka_unit_test(a_block_of_no_bytes_lies_within_its_mapping),
    cmocka_unit_test(sizes_that_wrap_are_refused),
    cmocka_unit_test(each_call_of_an_allocation_is_refused_in_turn),
    cmocka_unit_test(a_refused_unmap_strands_the_mapping),
    cmocka_unit_test(the_number_of_mappings_is_limited),
    cmocka_unit_test(resize_in_place_and_by_moving),
    cmocka_unit_test(resize_refused_at_each_call_keeps_the_block),
    cmocka_unit_test(what_is_wanted_again_is_kept),
    cmocka_unit_test(what_is_kept_and_not_wanted_goes),
    cmocka_unit_test(only_a_few_are_kept),
    cmocka_unit_test(the_threshold_follows_a_growing_buffer),
    cmocka_unit_test(growth_after_frees_raises_the_threshold),
    cmocka_unit_test(misuse_is_seen),
};
UNIT_GROUP(large);
