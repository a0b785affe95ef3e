/*
 * test_api_malloc.c - the entry points: errno, zero sizes, overflow, alignment rules; what glibc does where there is a
 * choice.
 */
#include "unit.h"

#include <errno.h>

#include "core.h"
#include "state.h"

static size_t held(void)
{
    struct fh_account account;
    fh_account_read(&account);
    return account.live_blocks;
}

static void zero_sizes(void **state)
{
    (void)state;
    void *a = fh_test_malloc(0), *b = fh_test_malloc(0), *c = fh_test_calloc(0, 5), *d = fh_test_calloc(5, 0);
    assert_true(a && b && c && d && a != b && b != c && c != d);
    assert_true(fh_test_malloc_usable_size(a) >= 1);
    assert_int_equal(fh_test_malloc_usable_size(NULL), 0);
    assert_null(fh_test_realloc(a, 0)); /* frees */
    assert_null(fh_test_reallocarray(b, 0, 7));
    assert_null(fh_test_reallocarray(c, 7, 0));
    assert_int_equal(held(), 1);
    void *e = fh_test_realloc(NULL, 0);
    assert_non_null(e);
    fh_test_free(e);
    fh_test_free(d);
    fh_test_free(NULL);
    assert_int_equal(held(), 0);
    assert_sound();
}

static void overflow_is_enomem(void **state)
{
    (void)state;
    char *p = fh_test_malloc(100);
    unit_fill(p, 100, 1);
    errno = 0;
#define REFUSES(call)               \
    do {                            \
        errno = 0;                  \
        assert_null(call);          \
        assert_int_equal(errno, ENOMEM); \
    } while (0)
    for (unsigned shift = 1; shift < 64; shift++) {
        size_t count = (size_t)1 << shift, size = (size_t)1 << (64 - shift);
        REFUSES(fh_test_calloc(count, size));
        REFUSES(fh_test_reallocarray(p, count, size));
        REFUSES(fh_test_reallocarray(NULL, count, size));
    }
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4, SIZE_MAX - 16, (size_t)PTRDIFF_MAX + 1, SIZE_MAX / 2 + 1000};
    for (int i = 0; i < 5; i++) {
        REFUSES(fh_test_malloc(sizes[i]));
        REFUSES(fh_test_calloc(1, sizes[i]));
        REFUSES(fh_test_calloc(sizes[i], 1));
        REFUSES(fh_test_realloc(p, sizes[i]));
        REFUSES(fh_test_valloc(sizes[i]));
        REFUSES(fh_test_pvalloc(sizes[i]));
        for (unsigned shift = 0; shift < 63; shift++) {
            REFUSES(fh_test_memalign((size_t)1 << shift, sizes[i]));
            REFUSES(fh_test_aligned_alloc((size_t)1 << shift, sizes[i]));
        }
    }
    REFUSES(fh_test_pvalloc(SIZE_MAX - 100));
    unit_assert_filled(p, 100, 1);
    fh_test_free(p);
    assert_sound();
}

static void success_and_free_keep_errno(void **state)
{
    (void)state;
    errno = 1234;
    for (size_t size = 1; size < 1000000; size *= 3) {
        void *p = fh_test_malloc(size);
        p = fh_test_realloc(p, size * 2);
        fh_test_free(p);
        fh_test_free(fh_test_calloc(2, size));
        fh_test_free(fh_test_memalign(64, size));
    }
    fake_refuse(FAKE_UNMAP), fake_refuse(FAKE_DISCARD), fake_refuse(FAKE_BREAK_DOWN);
    fh_test_free(fh_test_malloc(1 << 20));
    assert_int_equal(errno, 1234);
    assert_sound();
}

static void calloc_clears_the_whole_request(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++)
        for (size_t count = 1; count <= 40; count++)
            for (size_t size = 1; size <= 30; size++) {
                char *p = fh_test_calloc(count, size);
                assert_true(unit_is_zero(p, count * size));
                memset(p, 0xff, fh_test_malloc_usable_size(p));
                fh_test_free(p);
            }
    assert_sound();
}

static void alignment_rules(void **state)
{
    (void)state;
    for (size_t alignment = 0; alignment < 5000; alignment++) {
        bool power = fh_is_power_of_two(alignment);
        errno = 0;
        char *p = fh_test_aligned_alloc(alignment, 100);
        assert_int_equal(p != NULL, power);
        if (!power) assert_int_equal(errno, EINVAL);
        if (power) assert_aligned(p, fh_max(alignment, 16));
        fh_test_free(p);
        /* memalign rounds up to the next power of two. */
        p = fh_test_memalign(alignment, 100);
        assert_non_null(p);
        size_t rounded = 16;
        while (rounded < alignment) rounded *= 2;
        assert_aligned(p, rounded);
        fh_test_free(p);
        void *out = (void *)0x55;
        errno = 77;
        int result = fh_test_posix_memalign(&out, alignment, 100);
        assert_int_equal(result, power && alignment >= sizeof(void *) ? 0 : EINVAL);
        assert_int_equal(errno, 77);
        if (result) assert_ptr_equal(out, (void *)0x55);
        else fh_test_free(out);
    }
    errno = 0;
    assert_null(fh_test_memalign(SIZE_MAX / 2 + 2, 1));
    assert_int_equal(errno, EINVAL);
    assert_null(fh_test_memalign(SIZE_MAX / 2 + 1, 1));
    assert_int_equal(errno, ENOMEM);
    assert_null(fh_test_memalign(SIZE_MAX / 4 + 2, 1)); /* rounds up to 2^63 */
    void *out = (void *)0x55;
    errno = 77;
    assert_int_equal(fh_test_posix_memalign(&out, 64, SIZE_MAX), ENOMEM);
    assert_int_equal(errno, 77);
    assert_ptr_equal(out, (void *)0x55);
    assert_sound();
}

static void pages(void **state)
{
    (void)state;
    for (size_t page = 4096; page <= 65536; page *= 4) {
        fake_os.page_size = page;
        for (size_t size = 0; size < 300000; size = size * 7 + 1) {
            char *p = fh_test_valloc(size), *q = fh_test_pvalloc(size);
            assert_aligned(p, page);
            assert_aligned(q, page);
            assert_true(fh_test_malloc_usable_size(q) >= fh_align_up(size, page));
            fh_test_free(p);
            fh_test_free(q);
        }
    }
    assert_string_equal(unit_violations(), "");
}

static void usable_size_is_usable_and_kept(void **state)
{
    (void)state;
    for (size_t size = 0; size < 500000; size = size * 5 / 4 + 1) {
        char *p = fh_test_malloc(size), *neighbour = fh_test_malloc(size);
        size_t usable = fh_test_malloc_usable_size(p);
        assert_true(usable >= size);
        assert_aligned(p, 16);
        unit_fill(neighbour, size, 2);
        unit_fill(p, usable, 1);
        unit_assert_filled(neighbour, size, 2);
        p = fh_test_realloc(p, usable + 5000);
        unit_assert_filled(p, usable, 1);
        fh_test_free(p);
        fh_test_free(neighbour);
    }
    assert_sound();
}

static void sized_frees_free(void **state)
{
    (void)state;
    fh_test_free_sized(fh_test_malloc(100), 100);
    fh_test_free_sized(NULL, 0);
    fh_test_free_aligned_sized(fh_test_aligned_alloc(256, 512), 256, 512);
    fh_test_cfree(fh_test_malloc(5000));
    assert_int_equal(held(), 0);
}

/* The fast path: a block that was freed is the next one of its class. */
static void small_blocks_come_back_last_in_first_out(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 256; size++) {
        void *a = fh_test_malloc(size), *b = fh_test_malloc(size);
        fh_test_free(a);
        fh_test_free(b);
        assert_ptr_equal(fh_test_malloc(size), b);
        assert_ptr_equal(fh_test_malloc(size), a);
    }
}

/* R6: system calls for a million small requests are in single digits, but for the growth of the heap. */
static void few_calls_for_many_requests(void **state)
{
    (void)state;
    size_t count = unit_is_slow() ? 20000 : 1000000;
    for (size_t i = 0; i < 1000; i++) fh_test_free(fh_test_malloc(i));
    size_t before = 0, after = 0;
    for (int i = 0; i < FAKE_CALLS; i++) before += fake_os.calls[i];
    for (size_t i = 0; i < count; i++) fh_test_free(fh_test_malloc(i % 1000));
    for (int i = 0; i < FAKE_CALLS; i++) after += fake_os.calls[i];
    assert_true(after - before < 10);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(zero_sizes),
    cmocka_unit_test(overflow_is_enomem),
    cmocka_unit_test(success_and_free_keep_errno),
    cmocka_unit_test(calloc_clears_the_whole_request),
    cmocka_unit_test(alignment_rules),
    cmocka_unit_test(pages),
    cmocka_unit_test(usable_size_is_usable_and_kept),
    cmocka_unit_test(sized_frees_free),
    cmocka_unit_test(small_blocks_come_back_last_in_first_out),
    cmocka_unit_test(few_calls_for_many_requests),
};
UNIT_GROUP(malloc);
