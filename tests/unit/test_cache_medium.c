/*
 * test_cache_medium.c - the store of medium blocks: what it takes, what it gives for which request, its bound.
 */
#include "unit.h"

#include "guard.h"
#include "medium.h"

#define ALL (~(uint64_t)0)

static struct fh_medium medium;
static uint64_t blocks[64][4] FH_ALIGNED(256); /* every eighth of them, too */

static void only_medium_sizes_are_taken(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    assert_false(fh_medium_put(&medium, blocks[0], FH_MEDIUM_LEAST - 1));
    assert_false(fh_medium_put(&medium, blocks[0], FH_MEDIUM_MOST + 1));
    assert_false(fh_medium_put(&medium, blocks[0], 0));
    assert_int_equal(medium.blocks + medium.bytes, 0);
    assert_null(fh_medium_take_any(&medium, ALL));
    assert_true(fh_medium_put(&medium, blocks[0], FH_MEDIUM_LEAST));
    assert_true(fh_medium_put(&medium, blocks[1], FH_MEDIUM_MOST));
    assert_int_equal(medium.blocks, 2);
    assert_int_equal(medium.bytes, FH_MEDIUM_LEAST + FH_MEDIUM_MOST);
    assert_true(fh_guard_is_marked(blocks[0]));
}

static void it_is_bounded_in_bytes(void **state)
{
    (void)state;
    fh_medium_init(&medium, 8000);
    assert_false(fh_medium_put(&medium, blocks[0], 4001)); /* more than half */
    assert_true(fh_medium_put(&medium, blocks[0], 2000));
    assert_true(fh_medium_put(&medium, blocks[1], 2000));
    assert_true(fh_medium_put(&medium, blocks[2], 4000));
    assert_false(fh_medium_put(&medium, blocks[3], FH_MEDIUM_LEAST));
    assert_ptr_equal(fh_medium_take(&medium, 4000), blocks[2]);
    assert_false(fh_medium_put(&medium, blocks[3], 4001));
    assert_true(fh_medium_put(&medium, blocks[3], 4000));
    fh_medium_init(&medium, 0);
    assert_false(fh_medium_put(&medium, blocks[0], FH_MEDIUM_LEAST));
}

/* For every size kept and every request: what is given fits, and is three eighths too large at most; its own fits. */
static void what_is_given_fits_every_request(void **state)
{
    (void)state;
    size_t step = unit_is_slow() ? 16 * 929 : 16 * 29, more = unit_is_slow() ? 397 : 97;
    for (size_t kept = FH_MEDIUM_LEAST + 8; kept <= FH_MEDIUM_MOST; kept += step)
        for (size_t request = 1; request <= FH_MEDIUM_MOST; request += more) {
            fh_medium_init(&medium, 1 << 20);
            assert_true(fh_medium_put(&medium, blocks[0], kept));
            void *given = fh_medium_take(&medium, request);
            if (given && (kept < request || kept > fh_max(request, FH_MEDIUM_LEAST) * 11 / 8 + 16))
                fail_msg("%zu given for %zu", kept, request);
            if (given) assert_int_equal(medium.bytes + medium.blocks, 0);
            if (!given && kept == request) fail_msg("%zu not given for itself", kept);
        }
    for (size_t kept = FH_MEDIUM_LEAST; kept <= FH_MEDIUM_MOST; kept += kept / 1000) {
        fh_medium_init(&medium, 1 << 20);
        assert_true(fh_medium_put(&medium, blocks[0], kept));
        assert_ptr_equal(fh_medium_take(&medium, kept), blocks[0]);
        assert_false(fh_guard_is_marked(blocks[0]));
    }
}

static void the_next_classes_serve_too(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    assert_true(fh_medium_put(&medium, blocks[0], 2048));       /* class 2048..2303 */
    assert_true(fh_medium_put(&medium, blocks[1], 2320));       /* class 2304..2559 */
    assert_ptr_equal(fh_medium_take(&medium, 2049), blocks[1]); /* own class holds only a smaller one */
    assert_null(fh_medium_take(&medium, 2049));
    assert_ptr_equal(fh_medium_take(&medium, 2048), blocks[0]);
    assert_true(fh_medium_put(&medium, blocks[0], 2600));
    assert_true(fh_medium_put(&medium, blocks[1], 2830));
    assert_ptr_equal(fh_medium_take(&medium, 2048), blocks[0]);
    assert_null(fh_medium_take(&medium, 2048)); /* three classes up is too much */
    assert_ptr_equal(fh_medium_take(&medium, 2304), blocks[1]);
    assert_int_equal(medium.bytes + medium.blocks + medium.filled, 0);
}

/* Of its own class, where some are too small, the first few are looked at. */
static void some_of_the_own_class_are_looked_at(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    for (int i = 0; i < FH_MEDIUM_LOOKS; i++) assert_true(fh_medium_put(&medium, blocks[i], i == 0 ? 2200 : 2100));
    assert_ptr_equal(fh_medium_take(&medium, 2150), blocks[0]); /* the last one looked at */
    for (int i = FH_MEDIUM_LOOKS - 1; i >= 1; i--) assert_ptr_equal(fh_medium_take(&medium, 2100), blocks[i]);
    assert_int_equal(medium.bytes + medium.blocks + medium.filled, 0);
    for (int i = 0; i <= FH_MEDIUM_LOOKS; i++) assert_true(fh_medium_put(&medium, blocks[i], i == 0 ? 2200 : 2100));
    assert_null(fh_medium_take(&medium, 2150));
}

/* What core/store.c learns from: which bins have given, and which blocks had no room. */
static void what_was_given_and_refused_is_noted(void **state)
{
    (void)state;
    fh_medium_init(&medium, 7000);
    assert_int_equal(medium.until_look, FH_MEDIUM_WINDOW);
    assert_true(fh_medium_put(&medium, blocks[0], 3000));
    assert_int_equal(medium.given | medium.refused, 0);
    assert_non_null(fh_medium_take(&medium, 3000));
    assert_int_equal(medium.given, (uint64_t)1 << fh_medium_bin(3000));
    assert_false(fh_medium_put(&medium, blocks[0], 6000));
    assert_int_equal(medium.until_look, FH_MEDIUM_WINDOW - 2);
    assert_int_equal(medium.refused, (uint64_t)1 << fh_medium_bin(6000));
    assert_false(fh_medium_was_refused(&medium, 6200)); /* of the next bin */
    assert_false(fh_medium_was_refused(&medium, 4000)); /* it would have been too large */
    assert_true(fh_medium_was_refused(&medium, 4700));
    assert_false(fh_medium_was_refused(&medium, 4700)); /* once */
    assert_false(fh_medium_was_refused(&medium, FH_MEDIUM_MOST + 1));
    assert_true(fh_medium_put(&medium, blocks[0], 3000));
    assert_int_equal(fh_medium_larger(&medium, 2000), (uint64_t)1 << fh_medium_bin(3000));
    assert_int_equal(fh_medium_larger(&medium, 3000), 0);
    assert_int_equal(fh_medium_larger(&medium, FH_MEDIUM_MOST), 0);
    assert_int_equal(fh_medium_larger(&medium, FH_MEDIUM_MOST + 1), 0);
}

static void lists_are_last_in_first_out(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    for (int i = 0; i < 5; i++) assert_true(fh_medium_put(&medium, blocks[i], 2048 + (size_t)i));
    for (int i = 5; i-- > 0;) assert_ptr_equal(fh_medium_take(&medium, 2040), blocks[i]);
    assert_int_equal(medium.filled, 0);
}

/* Blocks of 32 bytes here: number i stands on a multiple of 256 where 8 divides i. */
static void aligned_requests_take_what_fits_and_is_aligned(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    assert_null(fh_medium_take_aligned(&medium, 2048, 256));
    assert_true(fh_medium_put(&medium, blocks[8], 2100));
    assert_true(fh_medium_put(&medium, blocks[0], 2060)); /* aligned, but smaller than what is asked for first */
    assert_true(fh_medium_put(&medium, blocks[4], 2100));
    assert_ptr_equal(fh_medium_take_aligned(&medium, 2100, 256), blocks[8]); /* the third */
    assert_false(fh_guard_is_marked(blocks[8]));
    assert_null(fh_medium_take_aligned(&medium, 2100, 256));
    assert_true(fh_medium_put(&medium, blocks[16], 2320)); /* of the next class */
    assert_true(fh_medium_put(&medium, blocks[17], 2320));
    assert_ptr_equal(fh_medium_take_aligned(&medium, 2100, 256), blocks[16]);
    assert_int_equal(medium.blocks, 3);
    assert_int_equal(medium.bytes, 2060 + 2100 + 2320);
    assert_ptr_equal(fh_medium_take_aligned(&medium, 2048, 128), blocks[4]);
    assert_ptr_equal(fh_medium_take_aligned(&medium, 2048, 128), blocks[0]);
    assert_ptr_equal(fh_medium_take_aligned(&medium, 2310, 32), blocks[17]);
    assert_int_equal(medium.bytes + medium.blocks + medium.filled, 0);
    assert_true(fh_medium_put(&medium, blocks[0], 2100));
    for (int i = 1; i < 5; i++) assert_true(fh_medium_put(&medium, blocks[i], 2100));
    assert_null(fh_medium_take_aligned(&medium, 2048, 256)); /* the fifth: nobody looks so far */
    assert_true(fh_medium_put(&medium, blocks[8], FH_MEDIUM_MOST));
    assert_ptr_equal(fh_medium_take_aligned(&medium, FH_MEDIUM_MOST, 256), blocks[8]);
}

static void take_any_empties_it(void **state)
{
    (void)state;
    fh_medium_init(&medium, 1 << 20);
    size_t sizes[] = {FH_MEDIUM_LEAST, 1151, 1152, 1300, 2000, 2001, 5000, 16384, 32768, FH_MEDIUM_MOST}, sum = 0;
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    bool seen[COUNT] = {false};
    for (int i = 0; i < COUNT; i++) {
        assert_true(fh_medium_put(&medium, blocks[i], sizes[i]));
        sum += sizes[i];
    }
    assert_int_equal(medium.bytes, sum);
    for (int i = 0; i < COUNT; i++) {
        uint64_t(*block)[4] = fh_medium_take_any(&medium, ALL);
        assert_non_null(block);
        assert_false(seen[block - blocks]);
        seen[block - blocks] = true;
    }
    assert_null(fh_medium_take_any(&medium, ALL));
    assert_int_equal(medium.bytes + medium.blocks + medium.filled, 0);
}

static void look_for_it(void *arg) { fh_medium_take_aligned(&medium, *(size_t *)arg, 512); }
static void take_it(void *arg) { fh_medium_take(&medium, *(size_t *)arg); }

static void damage_is_seen(void **state)
{
    (void)state;
    size_t request = 2600;
    unsigned missed = 0;
    for (unsigned bit = 0; bit < 192; bit++) {
        fh_medium_init(&medium, 1 << 20);
        assert_true(fh_medium_put(&medium, blocks[1], 2600));
        assert_true(fh_medium_put(&medium, blocks[0], 2600));
        blocks[0][bit / 64] ^= (uint64_t)1 << bit % 64;
        if (bit >= 4 && bit < 48) {
            missed += !unit_aborts(take_it, &request); /* still an aligned address */
            continue;
        }
        unit_expect_fault(take_it, &request, "damaged free-list link: 0x%zx, size unknown, in a cached chunk",
                          (size_t)blocks[0]);
    }
    assert_true(missed <= 44);
    fh_medium_init(&medium, 1 << 20);
    assert_true(fh_medium_put(&medium, blocks[1], 2600));
    assert_true(fh_medium_put(&medium, blocks[3], 2600)); /* on no multiple of 512, so the search goes on */
    blocks[3][1] ^= 1;
    unit_expect_fault(look_for_it, &request, "damaged free-list link: 0x%zx, size unknown, in a cached chunk",
                      (size_t)blocks[3]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_medium_sizes_are_taken),
    cmocka_unit_test(it_is_bounded_in_bytes),
    cmocka_unit_test(what_is_given_fits_every_request),
    cmocka_unit_test(the_next_classes_serve_too),
    cmocka_unit_test(some_of_the_own_class_are_looked_at),
    cmocka_unit_test(what_was_given_and_refused_is_noted),
    cmocka_unit_test(lists_are_last_in_first_out),
    cmocka_unit_test(aligned_requests_take_what_fits_and_is_aligned),
    cmocka_unit_test(take_any_empties_it),
    cmocka_unit_test(damage_is_seen),
};
UNIT_GROUP(medium);
