/*
 * test_base_format.c - lines built in a caller's buffer: digits, padding, cutting.
 */
#include "unit.h"

#include "format.h"

static void numbers_are_as_printf_writes_them(void **state)
{
    (void)state;
    char buffer[64], expected[64];
    struct fh_text text;
    uint64_t n = 0;
    for (int i = 0; i < 2000; i++) {
        fh_text_init(&text, buffer, sizeof buffer);
        fh_text_add_decimal(&text, n);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)n);
        assert_string_equal(buffer, expected);
        assert_int_equal(text.length, strlen(expected));
        fh_text_init(&text, buffer, sizeof buffer);
        fh_text_add_hex(&text, n);
        snprintf(expected, sizeof expected, "0x%llx", (unsigned long long)n);
        assert_string_equal(buffer, expected);
        n = i % 64 == 0 ? (uint64_t)1 << i / 64 : i % 3 ? n * 7 + 1 : ~n;
    }
    static const uint64_t edges[] = {0, 9, 10, 99, 100, UINT32_MAX, UINT64_MAX, UINT64_MAX - 1, 10000000000000000000u};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        fh_text_init(&text, buffer, sizeof buffer);
        fh_text_add_decimal(&text, edges[i]);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)edges[i]);
        assert_string_equal(buffer, expected);
    }
}

static const char *grouped(uint64_t n, unsigned width)
{
    static char buffer[64];
    struct fh_text text;
    fh_text_init(&text, buffer, sizeof buffer);
    fh_text_add_grouped(&text, n, width);
    return buffer;
}

static void groups_have_commas_and_padding(void **state)
{
    (void)state;
    assert_string_equal(grouped(0, 0), "0");
    assert_string_equal(grouped(999, 0), "999");
    assert_string_equal(grouped(1000, 0), "1,000");
    assert_string_equal(grouped(123456, 0), "123,456");
    assert_string_equal(grouped(1234567, 12), "   1,234,567");
    assert_string_equal(grouped(1234567, 9), "1,234,567");
    assert_string_equal(grouped(1234567, 3), "1,234,567");
    assert_string_equal(grouped(UINT64_MAX, 0), "18,446,744,073,709,551,615");
}

static void text_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    for (size_t size = 2; size <= 12; size++) {
        char buffer[16];
        memset(buffer, '#', sizeof buffer);
        struct fh_text text;
        fh_text_init(&text, buffer, size);
        assert_string_equal(buffer, "");
        fh_text_add(&text, "abc");
        fh_text_add_span(&text, "defgh...", 5);
        fh_text_add_decimal(&text, 77);
        size_t fits = fh_min(size - 1, 10);
        assert_int_equal(text.length, fits);
        assert_memory_equal(buffer, "abcdefgh77", fits);
        assert_int_equal(buffer[fits], 0);
        for (size_t i = size; i < sizeof buffer; i++) assert_int_equal(buffer[i], '#');
    }
}

static void a_line_always_ends(void **state)
{
    (void)state;
    for (size_t size = 2; size <= 8; size++) {
        char buffer[16];
        memset(buffer, '#', sizeof buffer);
        struct fh_text text;
        fh_text_init(&text, buffer, size);
        fh_text_add(&text, "abcd");
        fh_text_end_line(&text);
        size_t kept = fh_min(size - 2, 4);
        assert_int_equal(text.length, kept + 1);
        assert_memory_equal(buffer, "abcd", kept);
        assert_int_equal(buffer[kept], '\n');
        assert_int_equal(buffer[kept + 1], 0);
        for (size_t i = size; i < sizeof buffer; i++) assert_int_equal(buffer[i], '#');
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(numbers_are_as_printf_writes_them),
    cmocka_unit_test(groups_have_commas_and_padding),
    cmocka_unit_test(text_that_does_not_fit_is_cut),
    cmocka_unit_test(a_line_always_ends),
};
UNIT_GROUP(format);
