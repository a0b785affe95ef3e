/*
 * test_config_options.c - the environment: numbers, units, ranges, glibc's names, and complaints about the rest.
 */
#include "unit.h"

#include "options.h"

static struct fh_options defaults;

/* Reads an environment of these variables, with the options as they are by default. */
static void read_all(char *const *environment)
{
    if (defaults.mmap_threshold == 0) defaults = fh_options;
    fh_options = defaults;
    fake_forget_text();
    fh_options_read(environment);
}

static void read_one(const char *variable)
{
    char *environment[] = {"HOME=/root", (char *)(uintptr_t)variable, "PATH=/bin", NULL};
    read_all(environment);
}

/* The variable with this value sets the trim threshold to n, without a word. */
static void accepts(const char *variable, size_t n)
{
    read_one(variable);
    if (fh_options.trim_threshold != n) fail_msg("%s gave %zu", variable, fh_options.trim_threshold);
    assert_text("");
}

static void refuses(const char *variable, const char *complaint)
{
    read_one(variable);
    assert_text(complaint);
    assert_memory_equal(&fh_options, &defaults, sizeof defaults);
}

static void nothing_read_is_the_table(void **state)
{
    (void)state;
    assert_int_equal(fh_options.mmap_threshold, 128 * 1024);
    assert_int_equal(fh_options.trim_threshold, 128 * 1024);
    assert_int_equal(fh_options.top_pad, 0);
    assert_int_equal(fh_options.mmap_max, 65536);
    assert_int_equal(fh_options.arena_max, 0);
    assert_int_equal(fh_options.perturb, 0);
    assert_int_equal(fh_options.check, 0);
    assert_null(fh_options.report);
    fh_options_read(NULL);
    char *none[] = {NULL};
    read_all(none);
    assert_text("");
}

static void numbers_with_units(void **state)
{
    (void)state;
    accepts("FREEHOLD_TRIM_THRESHOLD=0", 0);
    accepts("FREEHOLD_TRIM_THRESHOLD=65536", 65536);
    accepts("FREEHOLD_TRIM_THRESHOLD=007", 7);
    accepts("FREEHOLD_TRIM_THRESHOLD=1k", 1024);
    accepts("FREEHOLD_TRIM_THRESHOLD=1K", 1024);
    accepts("FREEHOLD_TRIM_THRESHOLD=3m", 3 << 20);
    accepts("FREEHOLD_TRIM_THRESHOLD=3M", 3 << 20);
    accepts("FREEHOLD_TRIM_THRESHOLD=2g", (size_t)2 << 30);
    accepts("FREEHOLD_TRIM_THRESHOLD=2G", (size_t)2 << 30);
    accepts("FREEHOLD_TRIM_THRESHOLD=0x10", 16);
    accepts("FREEHOLD_TRIM_THRESHOLD=0XfF", 255);
    accepts("FREEHOLD_TRIM_THRESHOLD=0x1fk", 31 * 1024);
    accepts("FREEHOLD_TRIM_THRESHOLD=-1", SIZE_MAX);
    accepts("FREEHOLD_TRIM_THRESHOLD=18446744073709551615", SIZE_MAX);
    accepts("FREEHOLD_TRIM_THRESHOLD=0xffffffffffffffff", SIZE_MAX);
    accepts("FREEHOLD_TRIM_THRESHOLD=17179869183g", (size_t)17179869183u << 30);
}

static void malformed_numbers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",        " ",     "k",   "0x",    "x10",  "1kk", "1kb", "1 k", "12a", "--1", "-2", "+1", "1.5", "1t", "0xg",
        "18446744073709551616", "99999999999999999999", "0x10000000000000000", "17179869184g", "18446744073709551615k"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char variable[100], complaint[200];
        snprintf(variable, sizeof variable, "FREEHOLD_TRIM_THRESHOLD=%s", bad[i]);
        snprintf(
            complaint, sizeof complaint,
            "freehold: FREEHOLD_TRIM_THRESHOLD: '%s' is not a number of bytes (such as 65536, 64k or 1m); ignored\n",
            bad[i]);
        refuses(variable, complaint);
    }
    refuses("FREEHOLD_PERTURB=1k", "freehold: FREEHOLD_PERTURB: '1k' is not a number; ignored\n");
    refuses("FREEHOLD_PERTURB=-1", "freehold: FREEHOLD_PERTURB: '-1' is not a number; ignored\n");
}

static void ranges_are_kept(void **state)
{
    (void)state;
    read_one("FREEHOLD_PERTURB=255");
    assert_int_equal(fh_options.perturb, 255);
    refuses("FREEHOLD_PERTURB=256", "freehold: FREEHOLD_PERTURB: 256 is out of range; ignored\n");
    read_one("FREEHOLD_CHECK=1");
    assert_int_equal(fh_options.check, 1);
    refuses("FREEHOLD_CHECK=2", "freehold: FREEHOLD_CHECK: 2 is out of range; ignored\n");
    read_one("FREEHOLD_MMAP_MAX=2147483647");
    assert_int_equal(fh_options.mmap_max, INT32_MAX);
    refuses("FREEHOLD_MMAP_MAX=2147483648", "freehold: FREEHOLD_MMAP_MAX: 2147483648 is out of range; ignored\n");
    read_one("FREEHOLD_CACHE_BYTES=1m");
    assert_int_equal(fh_options.cache_bytes, FH_MIB);
    refuses("FREEHOLD_CACHE_BYTES=1048577", "freehold: FREEHOLD_CACHE_BYTES: 1048577 is out of range; ignored\n");
    refuses("FREEHOLD_MMAP_THRESHOLD=0x4000000000000000",
            "freehold: FREEHOLD_MMAP_THRESHOLD: 0x4000000000000000 is out of range; ignored\n");
}

static void unknown_names_get_a_suggestion(void **state)
{
    (void)state;
    refuses("FREEHOLD_REPROT=1", "freehold: unknown option FREEHOLD_REPROT (did you mean FREEHOLD_REPORT?)\n");
    refuses("FREEHOLD_REPOR=1", "freehold: unknown option FREEHOLD_REPOR (did you mean FREEHOLD_REPORT?)\n");
    refuses("FREEHOLD_REPORTS=1", "freehold: unknown option FREEHOLD_REPORTS (did you mean FREEHOLD_REPORT?)\n");
    refuses("FREEHOLD_MMAP_TRESHOLD=1",
            "freehold: unknown option FREEHOLD_MMAP_TRESHOLD (did you mean FREEHOLD_MMAP_THRESHOLD?)\n");
    refuses("FREEHOLD_TOP_PAT=1", "freehold: unknown option FREEHOLD_TOP_PAT (did you mean FREEHOLD_TOP_PAD?)\n");
    refuses("FREEHOLD_SOMETHING_ELSE=1", "freehold: unknown option FREEHOLD_SOMETHING_ELSE\n");
    refuses("FREEHOLD_REPORTXXXX=1", "freehold: unknown option FREEHOLD_REPORTXXXX\n"); /* four letters away */
    refuses("FREEHOLD_REPORTXXX=1", "freehold: unknown option FREEHOLD_REPORTXXX (did you mean FREEHOLD_REPORT?)\n");
    read_one("FREEHOLD_A_NAME_LONGER_THAN_ANY_OPTION_COULD_EVER_BE_IN_THIS_TABLE=1");
    assert_said("unknown option FREEHOLD_A_NAME_LONGER");
    refuses("FREEHOLD_=1", "freehold: unknown option FREEHOLD_\n");
    refuses("FREEHOLD_NO_VALUE", "");
    refuses("FREEHOLDS_REPORT=1", "");
    refuses("XFREEHOLD_REPORT=1", "");
}

static void a_long_value_makes_one_line(void **state)
{
    (void)state;
    char variable[2000] = "FREEHOLD_PERTURB=";
    memset(variable + 17, 'z', sizeof variable - 18);
    variable[sizeof variable - 1] = 0;
    read_one(variable);
    size_t length = strlen(fake_text());
    assert_true(length > 100 && length < 300);
    assert_ptr_equal(strchr(fake_text(), '\n'), fake_text() + length - 1);
}

static void glibc_variables(void **state)
{
    (void)state;
    char *environment[] = {"MALLOC_MMAP_THRESHOLD_=1000000", "MALLOC_TRIM_THRESHOLD_=1000", "MALLOC_TOP_PAD_=4096",
                           "MALLOC_MMAP_MAX_=7", "MALLOC_ARENA_MAX=2", "MALLOC_PERTURB_=85", "MALLOC_CHECK_=3", NULL};
    read_all(environment);
    assert_text("");
    assert_int_equal(fh_options.mmap_threshold, 1000000);
    assert_int_equal(fh_options.trim_threshold, 1000);
    assert_int_equal(fh_options.top_pad, 4096);
    assert_int_equal(fh_options.mmap_max, 7);
    assert_int_equal(fh_options.arena_max, 2);
    assert_int_equal(fh_options.perturb, 85);
    refuses("MALLOC_PERTURB_=abc", "freehold: MALLOC_PERTURB_: 'abc' is not a number; ignored\n");
    refuses("MALLOC_CHECK_=yes", "freehold: MALLOC_CHECK_: 'yes' is not a number; ignored\n");
    refuses("MALLOC_ARENA_TEST=2", "freehold: MALLOC_ARENA_TEST has no effect in Freehold\n");
    refuses("MALLOC_CONF=narenas:1", ""); /* another allocator's */
}

static void glibc_tunables(void **state)
{
    (void)state;
    read_one("GLIBC_TUNABLES=glibc.malloc.mmap_threshold=200000:glibc.cpu.x86=1:glibc.malloc.trim_threshold=5k"
             ":glibc.malloc.top_pad=0x1000:glibc.malloc.mmap_max=3:glibc.malloc.arena_max=4:glibc.malloc.perturb=9");
    assert_text("");
    assert_int_equal(fh_options.mmap_threshold, 200000);
    assert_int_equal(fh_options.trim_threshold, 5120);
    assert_int_equal(fh_options.top_pad, 4096);
    assert_int_equal(fh_options.mmap_max, 3);
    assert_int_equal(fh_options.arena_max, 4);
    assert_int_equal(fh_options.perturb, 9);
    read_one("GLIBC_TUNABLES=glibc.malloc.tcache_count=0");
    assert_int_equal(fh_options.cache_bytes, 0);
    assert_int_equal(fh_options.medium_cache_bytes, 0);
    read_one("GLIBC_TUNABLES=glibc.malloc.tcache_count=10:");
    assert_int_equal(fh_options.cache_bytes, 640);
    assert_int_equal(fh_options.medium_cache_bytes, defaults.medium_cache_bytes);
    read_one("GLIBC_TUNABLES=glibc.malloc.tcache_count=65535");
    assert_int_equal(fh_options.cache_bytes, FH_MIB);
    assert_text("");
    refuses("GLIBC_TUNABLES=glibc.malloc.tcache_count=x",
            "freehold: glibc.malloc.tcache_count: 'x' is not a number; ignored\n");
    refuses("GLIBC_TUNABLES=glibc.malloc.mmap_max=x",
            "freehold: glibc.malloc.mmap_max: 'x' is not a number; ignored\n");
    refuses("GLIBC_TUNABLES=glibc.malloc.hugetlb=1",
            "freehold: GLIBC_TUNABLES: glibc.malloc.hugetlb has no effect in Freehold\n");
    refuses("GLIBC_TUNABLES=glibc.malloc.nonsense=1",
            "freehold: GLIBC_TUNABLES: glibc.malloc.nonsense is unknown; ignored\n");
    refuses("GLIBC_TUNABLES=", "");
    refuses("GLIBC_TUNABLES=:::=:=1", "");
    refuses("GLIBC_TUNABLES=glibc.malloc.=1", "");
    refuses("GLIBC_TUNABLES=glibc.malloc.mmap_max", "freehold: glibc.malloc.mmap_max: '' is not a number; ignored\n");
    refuses("GLIBC_TUNABLES=glibc.malloc.mmap_max=", "freehold: glibc.malloc.mmap_max: '' is not a number; ignored\n");
}

/* The size that a huge tcache_count would need must not wrap into a small one. */
static void a_huge_tcache_count_is_bounded(void **state)
{
    (void)state;
    read_one("GLIBC_TUNABLES=glibc.malloc.tcache_count=288230376151711745"); /* times 64 is 64 modulo 2^64 */
    assert_true(fh_options.cache_bytes == FH_MIB || fh_options.cache_bytes == defaults.cache_bytes);
}

static void text_is_kept_as_it_is(void **state)
{
    (void)state;
    read_one("FREEHOLD_REPORT=any text=at all");
    assert_string_equal(fh_options.report, "any text=at all");
    assert_text("");
}

static void set_size_keeps_the_range(void **state)
{
    (void)state;
    assert_true(fh_options_set_size(&fh_options.perturb, 255));
    assert_int_equal(fh_options.perturb, 255);
    assert_false(fh_options_set_size(&fh_options.perturb, 256));
    assert_int_equal(fh_options.perturb, 255);
    assert_true(fh_options_set_size(&fh_options.trim_threshold, SIZE_MAX));
    assert_false(fh_options_set_size(&fh_options.mmap_threshold, SIZE_MAX));
    size_t other = 1;
    assert_false(fh_options_set_size(&other, 2));
    assert_int_equal(other, 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_read_is_the_table),
    cmocka_unit_test(numbers_with_units),
    cmocka_unit_test(malformed_numbers_are_refused),
    cmocka_unit_test(ranges_are_kept),
    cmocka_unit_test(unknown_names_get_a_suggestion),
    cmocka_unit_test(a_long_value_makes_one_line),
    cmocka_unit_test(glibc_variables),
    cmocka_unit_test(glibc_tunables),
    cmocka_unit_test(a_huge_tcache_count_is_bounded),
    cmocka_unit_test(text_is_kept_as_it_is),
    cmocka_unit_test(set_size_keeps_the_range),
};
UNIT_GROUP(options);
