/*
 * test_api_control.c - glibc's control surface: mallopt, mallinfo, malloc_info, malloc_trim, malloc_stats.
 */
#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "core.h"
#include "options.h"
#include "state.h"

struct mallinfo2 fh_test_mallinfo2(void);
struct mallinfo fh_test_mallinfo(void);

static void mallopt_sets_options(void **state)
{
    (void)state;
    assert_int_equal(fh_test_mallopt(M_TRIM_THRESHOLD, 4096), 1);
    assert_int_equal(fh_options.trim_threshold, 4096);
    assert_int_equal(fh_test_mallopt(M_TRIM_THRESHOLD, -1), 1);
    assert_int_equal(fh_options.trim_threshold, SIZE_MAX);
    assert_int_equal(fh_test_mallopt(M_TOP_PAD, 8192), 1);
    assert_int_equal(fh_options.top_pad, 8192);
    assert_int_equal(fh_test_mallopt(M_MMAP_THRESHOLD, 50000), 1);
    assert_int_equal(fh_options.mmap_threshold, 50000);
    assert_int_equal(fh_test_mallopt(M_MMAP_MAX, 3), 1);
    assert_int_equal(fh_options.mmap_max, 3);
    assert_int_equal(fh_test_mallopt(M_ARENA_MAX, 2), 1);
    assert_int_equal(fh_options.arena_max, 2);
    assert_int_equal(fh_test_mallopt(M_PERTURB, 0x155), 1);
    assert_int_equal(fh_options.perturb, 0x55);
    assert_int_equal(fh_test_mallopt(M_PERTURB, 0), 1);
    assert_int_equal(fh_test_mallopt(M_MXFAST, 160), 1);
    assert_int_equal(fh_test_mallopt(M_MXFAST, 161), 0);
    assert_int_equal(fh_test_mallopt(M_CHECK_ACTION, 3), 1);
    assert_int_equal(fh_test_mallopt(M_ARENA_TEST, 3), 1);
    assert_int_equal(fh_test_mallopt(12345, 1), 0);
    assert_int_equal(fh_test_mallopt(M_MMAP_THRESHOLD, -5), 0);
    assert_int_equal(fh_test_mallopt(M_MMAP_MAX, -1), 0);
    assert_int_equal(fh_options.mmap_threshold, 50000);
    assert_int_equal(fh_options.mmap_max, 3);
    assert_sound();
}

static void perturb_works_from_the_next_call(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(100));
    assert_int_equal(fh_test_mallopt(M_PERTURB, 0x3c), 1);
    unsigned char *p = fh_test_malloc(100);
    for (int i = 0; i < 100; i++) assert_int_equal(p[i], 0xc3);
    fh_test_free(p);
    assert_int_equal(fh_test_mallopt(M_PERTURB, 0), 1);
    assert_sound();
}

static void mallinfo_has_real_numbers(void **state)
{
    (void)state;
    void *small = fh_test_malloc(100), *medium = fh_test_malloc(5000), *large = fh_test_malloc(500000);
    struct mallinfo2 info = fh_test_mallinfo2();
    struct fh_account account;
    fh_account_read(&account);
    assert_int_equal(info.hblks, 1);
    assert_int_equal(info.hblkhd, account.large_bytes);
    assert_int_equal(info.uordblks + info.fordblks, info.arena);
    assert_true(info.uordblks >= fh_test_malloc_usable_size(small) + fh_test_malloc_usable_size(medium));
    assert_true(info.fordblks >= 900000 && info.keepcost >= 900000);
    assert_int_equal(info.arena, account.obtained_bytes - account.returned_bytes - account.large_bytes);
    assert_int_equal(info.ordblks, 1); /* what lies in front of the slab's boundary */
    fh_test_free(small);
    info = fh_test_mallinfo2();
    assert_true(info.fsmblks >= 112);
    struct mallinfo old = fh_test_mallinfo();
    assert_int_equal(old.hblkhd, info.hblkhd);
    assert_int_equal(old.arena, info.arena);
    assert_int_equal(old.keepcost, info.keepcost);
    fh_test_free(medium), fh_test_free(large);
    assert_int_equal(fh_test_mallinfo2().hblks, 0);
}

static void mallinfo_stops_at_the_largest_int(void **state)
{
    (void)state;
    fh_options.mmap_threshold = SIZE_MAX / 4;
    fake_os.break_most_bytes = SIZE_MAX;
    char *p = fh_test_memalign(4096, (size_t)2560 * FH_MIB); /* as a mapping: 2.5 GiB that nobody touches */
    if (!p) skip();
    struct mallinfo info = fh_test_mallinfo();
    assert_true(info.arena == INT_MAX || info.hblkhd == INT_MAX);
}

static void malloc_info_is_xml(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fh_test_malloc(5000);
    fh_test_malloc(200000);
    assert_int_equal(fh_test_malloc_info(1, stream), EINVAL);
    fflush(stream);
    assert_int_equal(length, 0);
    assert_int_equal(fh_test_malloc_info(0, stream), 0);
    fclose(stream);
    assert_memory_equal(text, "<malloc version=\"1\">\n<heap nr=\"0\">\n", 35);
    assert_string_equal(text + length - 10, "</malloc>\n");
    assert_non_null(strstr(text, "<total type=\"mmap\" count=\"1\" size=\""));
    int open = 0, close = 0;
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] == '<' && text[i + 1] != '/') open++;
        if (text[i] == '/' && (text[i + 1] == '>' || text[i - 1] == '<')) close++;
    }
    assert_int_equal(open, close);
    free(text);
}

static void malloc_trim_says_whether(void **state)
{
    (void)state;
    assert_int_equal(fh_test_malloc_trim(0), 0);
    fh_test_free(fh_test_malloc(5000));
    assert_int_equal(fh_test_malloc_trim(0), 1);
    assert_int_equal(fake_break_bytes(), 4096);
    assert_int_equal(fh_test_malloc_trim(0), 0);
    assert_sound();
}

static void malloc_stats_goes_to_standard_error(void **state)
{
    (void)state;
    fake_forget_text();
    fh_test_malloc_stats();
    assert_int_equal(fake_text_fd(), 2);
    assert_said("freehold: account of pid 4711");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(mallopt_sets_options),
    cmocka_unit_test(perturb_works_from_the_next_call),
    cmocka_unit_test(mallinfo_has_real_numbers),
    cmocka_unit_test(mallinfo_stops_at_the_largest_int),
    cmocka_unit_test(malloc_info_is_xml),
    cmocka_unit_test(malloc_trim_says_whether),
    cmocka_unit_test(malloc_stats_goes_to_standard_error),
};
UNIT_GROUP(control);
