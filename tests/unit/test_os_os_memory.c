/*
 * test_os_os_memory.c - the memory half of os.h against the real kernel.
 */
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os.h"

static size_t page(void) { return fh_os_page_size(); }

static bool is_mapped(void *address, size_t size)
{
    unsigned char in_memory[64];
    return mincore(address, size, in_memory) == 0;
}

static void the_page_size_is_the_kernels(void **state)
{
    (void)state;
    assert_int_equal(fh_os_page_size(), sysconf(_SC_PAGESIZE));
    assert_int_equal(fh_os_page_size(), sysconf(_SC_PAGESIZE));
}

static void maps_are_zero_and_go_away(void **state)
{
    (void)state;
    char *p = fh_os_map(NULL, 4 * page());
    assert_non_null(p);
    for (size_t i = 0; i < 4 * page(); i++) assert_int_equal(p[i], 0);
    memset(p, 1, 4 * page());
    assert_true(fh_os_unmap(p + page(), page()));
    assert_false(is_mapped(p + page(), page()));
    assert_true(is_mapped(p + 2 * page(), 2 * page()));
    assert_true(fh_os_unmap(p, 4 * page())); /* holes are no obstacle */
    assert_false(is_mapped(p, page()));
}

static void refusals_are_answers_and_leave_errno(void **state)
{
    (void)state;
    errno = 1234;
    assert_null(fh_os_map(NULL, (size_t)1 << 60));
    assert_false(fh_os_unmap((void *)1, page()));
    assert_false(fh_os_remap((void *)0x10000, page(), 2 * page()));
    assert_false(fh_os_move((void *)0x10000, page(), (void *)0x20000, page()));
    assert_false(fh_os_discard((void *)1, page()));
    assert_false(fh_os_break_move((char *)0x1000));
    char text[8];
    assert_int_equal(fh_os_read_file("/nonexistent", text, sizeof text), -1);
    assert_int_equal(errno, 1234);
}

static void a_hint_is_never_obeyed_at_anothers_cost(void **state)
{
    (void)state;
    char *p = fh_os_map(NULL, 3 * page());
    p[page()] = 42;
    assert_null(fh_os_map(p + page(), page()));
    assert_int_equal(p[page()], 42);
    assert_true(fh_os_unmap(p + page(), page()));
    assert_ptr_equal(fh_os_map(p + page(), page()), p + page());
    assert_int_equal(p[page()], 0);
    assert_true(fh_os_unmap(p, 3 * page()));
}

static void remap_resizes_where_it_is(void **state)
{
    (void)state;
    char *p = fh_os_map(NULL, 4 * page());
    p[0] = 1, p[page()] = 2;
    assert_true(fh_os_remap(p, 4 * page(), 2 * page()));
    assert_false(is_mapped(p + 2 * page(), page()));
    assert_true(fh_os_remap(p, 2 * page(), 3 * page()));
    assert_int_equal(p[0] + p[page()] + p[2 * page()], 3);
    char *obstacle = mmap(p + 3 * page(), page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_equal(obstacle, p + 3 * page());
    assert_false(fh_os_remap(p, 3 * page(), 4 * page()));
    assert_int_equal(p[page()], 2);
    fh_os_unmap(p, 4 * page());
}

static void move_replaces_the_target(void **state)
{
    (void)state;
    char *from = fh_os_map(NULL, 2 * page()), *to = fh_os_map(NULL, 4 * page());
    memset(from, 7, 2 * page());
    memset(to, 9, 4 * page());
    assert_true(fh_os_move(from, 2 * page(), to, 4 * page()));
    assert_false(is_mapped(from, page()));
    assert_int_equal(to[0], 7);
    assert_int_equal(to[2 * page() - 1], 7);
    assert_int_equal(to[2 * page()], 0);
    assert_true(fh_os_unmap(to, 4 * page()));
}

static void discard_gives_pages_back(void **state)
{
    (void)state;
    char *p = fh_os_map(NULL, 8 * page());
    memset(p, 1, 8 * page());
    assert_int_equal(fh_os_resident_within(p, 8 * page()), 8 * page());
    assert_true(fh_os_discard(p + page(), 5 * page()));
    assert_int_equal(fh_os_resident_within(p, 8 * page()), 3 * page());
    assert_int_equal(p[0], 1);
    assert_int_equal(p[6 * page()], 1);
    for (size_t i = page(); i < 6 * page(); i++) assert_int_equal(p[i], 0);
    if (syscall(SYS_mlock, p, page()) == 0) { /* sanitizers make mlock(2) do nothing */
        assert_false(fh_os_discard(p, page()));
        assert_int_equal(p[0], 1);
    }
    fh_os_unmap(p, 8 * page());
}

static void resident_within_says_size_when_it_cannot_know(void **state)
{
    (void)state;
    assert_int_equal(fh_os_resident_within((void *)0x10000, page()), page()); /* not mapped */
    char *p = fh_os_map(NULL, 4 * FH_MIB);
    assert_int_equal(fh_os_resident_within(p, 4 * FH_MIB), 0);
    p[0] = 1;
    assert_true(fh_os_resident_within(p, 4 * FH_MIB) >= page());
    fh_os_unmap(p, 4 * FH_MIB);
}

static void the_break_moves_and_libc_knows(void **state)
{
    (void)state;
    char *start = fh_os_break();
    assert_ptr_equal(start, sbrk(0));
    if (!fh_os_break_move(start + FH_MIB)) skip(); /* something lies behind the break (a sanitizer, valgrind) */
    assert_ptr_equal(fh_os_break(), start + FH_MIB);
    assert_ptr_equal(sbrk(0), start + FH_MIB);
    start[FH_MIB - 1] = 1;
    assert_ptr_equal(sbrk(4096), start + FH_MIB); /* somebody else */
    assert_ptr_equal(fh_os_break(), start + FH_MIB + 4096);
    assert_true(fh_os_break_move(start));
    assert_ptr_equal(sbrk(0), start);
    assert_false(fh_os_break_move((char *)((size_t)1 << 46)));
    assert_ptr_equal(fh_os_break(), start);
    assert_ptr_equal(sbrk(0), start);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint64_t words[64];
    fh_os_random(words, sizeof words);
    for (int i = 0; i < 64; i++)
        for (int k = 0; k < i; k++) assert_true(words[i] != words[k]);
    unsigned char bytes[9] = {0};
    fh_os_random(bytes, 7);
    assert_int_equal(bytes[7] | bytes[8], 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_page_size_is_the_kernels),
    cmocka_unit_test(maps_are_zero_and_go_away),
    cmocka_unit_test(refusals_are_answers_and_leave_errno),
    cmocka_unit_test(a_hint_is_never_obeyed_at_anothers_cost),
    cmocka_unit_test(remap_resizes_where_it_is),
    cmocka_unit_test(move_replaces_the_target),
    cmocka_unit_test(discard_gives_pages_back),
    cmocka_unit_test(resident_within_says_size_when_it_cannot_know),
    cmocka_unit_test(the_break_moves_and_libc_knows),
    cmocka_unit_test(random_bytes_differ),
};
UNIT_GROUP(os_memory);
