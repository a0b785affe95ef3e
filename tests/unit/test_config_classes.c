/*
 * test_config_classes.c - size classes, and where blocks of a class start: all of them, exhaustively.
 */
#include "unit.h"

#include "classes.h"

static void class_sizes_fit_and_do_not_waste(void **state)
{
    (void)state;
    for (size_t request = 0; request <= FH_SMALL_MOST; request++) {
        size_t size = fh_class_size(request);
        assert_true(size >= request && size - request < fh_max(16, request / 8) && size % 16 == 0);
        assert_true(size / 16 < FH_CLASS_COUNT);
        assert_int_equal(fh_class_size(size), size);
    }
    size_t classes = 0, before = 0;
    FH_EACH_CLASS(size) {
        assert_int_equal(fh_class_size(before + 1), size);
        before = size;
        classes++;
    }
    assert_int_equal(before, FH_SMALL_MOST);
    assert_int_equal(classes, 32);
}

static void block_starts_are_multiples_of_the_class(void **state)
{
    (void)state;
    size_t step = unit_is_slow() ? 7 : 1;
    FH_EACH_CLASS(class_bytes) {
        uint32_t magic = fh_block_magic((uint32_t)class_bytes);
        for (uintptr_t offset = 0; offset < 65536; offset += step) {
            bool expected = (uint16_t)offset % class_bytes == 0;
            if (fh_is_block_start((void *)offset, magic) != expected)
                fail_msg("class %zu, offset %zu", class_bytes, (size_t)offset);
            uintptr_t far_away = ((uintptr_t)0x7fab12340000 | offset);
            assert_int_equal(fh_is_block_start((void *)far_away, magic), expected);
        }
    }
}

static void first_block_start_is_the_nearest_above(void **state)
{
    (void)state;
    size_t step = unit_is_slow() ? 16 * 7 : 16;
    FH_EACH_CLASS(class_bytes) {
        uint32_t magic = fh_block_magic((uint32_t)class_bytes);
        for (uintptr_t from = 0x10000 + 64; from <= 0x20000 - FH_SMALL_MOST; from += step) {
            uintptr_t first = fh_first_block_start(from, class_bytes);
            assert_true(first >= from && first - from < class_bytes);
            assert_true(fh_is_block_start((void *)first, magic));
            for (uintptr_t between = from; between < first; between += 16)
                if (fh_is_block_start((void *)between, magic))
                    fail_msg("class %zu, from %zx", class_bytes, (size_t)from);
        }
    }
}

static void an_aligned_class_fits_and_its_blocks_are_aligned(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= FH_SMALL_MOST; alignment *= 2)
        for (size_t request = 0; request <= FH_SMALL_MOST; request++) {
            assert_true(fh_is_small_aligned(request, alignment));
            size_t class_bytes = fh_class_size_aligned(request, alignment);
            assert_true(class_bytes >= fh_max(request, 1) && class_bytes <= FH_SMALL_MOST);
            size_t rounded = fh_align_up(fh_max(request, 1), fh_max(alignment, 16));
            assert_int_equal(class_bytes, fh_class_size(rounded));
            for (uintptr_t block = 0; block < 65536; block += class_bytes)
                if (!fh_is_block_start((void *)block, fh_block_magic((uint32_t)class_bytes)) || block % alignment)
                    fail_msg("alignment %zu, class %zu, block %zx", alignment, class_bytes, (size_t)block);
        }
    assert_false(fh_is_small_aligned(FH_SMALL_MOST + 1, 32));
    assert_false(fh_is_small_aligned(32, FH_SMALL_MOST * 2));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(class_sizes_fit_and_do_not_waste),
    cmocka_unit_test(block_starts_are_multiples_of_the_class),
    cmocka_unit_test(first_block_start_is_the_nearest_above),
    cmocka_unit_test(an_aligned_class_fits_and_its_blocks_are_aligned),
};
UNIT_GROUP(classes);
