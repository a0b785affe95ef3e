/*
 * test_insight_account.c - the account: it adds up after every step, each item is what it says, and it prints.
 */
#include "unit.h"

#include "core.h"
#include "insight.h"
#include "large.h"
#include "state.h"
#include "wholesale.h"

static struct fh_account read_account(void)
{
    struct fh_account account;
    memset(&account, 0x55, sizeof account);
    fh_account_read(&account);
    size_t sum = account.live_bytes + account.rounding_bytes + account.cached_bytes + account.free_bytes +
                 account.untouched_bytes + account.metadata_bytes;
    assert_int_equal(sum, account.obtained_bytes - account.returned_bytes);
    assert_int_equal(sum, fake_break_bytes() + fake_mapped_bytes());
    return account;
}

static void an_empty_heap_is_all_zero(void **state)
{
    (void)state;
    struct fh_account account = read_account();
    assert_int_equal(account.obtained_bytes + account.live_blocks + account.heaps, 0);
    assert_int_equal(account.threads, 1);
}

static void live_blocks_are_counted_by_usable_bytes(void **state)
{
    (void)state;
    fh_state_self();
    size_t live = 0, count = 0;
    for (size_t size = 1; size < 400000; size = size * 4 / 3 + 1) {
        void *p = fh_test_malloc(size);
        live += fh_test_malloc_usable_size(p);
        count++;
        struct fh_account account = read_account();
        assert_int_equal(account.live_bytes, live);
        assert_int_equal(account.live_blocks, count);
    }
    assert_int_equal(read_account().heaps, 1);
    assert_true(read_account().large_blocks > 2);
    assert_int_equal(read_account().large_bytes, fh_large_counts.mapping_bytes - fh_large_counts.head_bytes);
}

static void freed_blocks_are_cached_then_free(void **state)
{
    (void)state;
    void *small = fh_test_malloc(64), *keep = fh_test_malloc(64), *medium = fh_test_malloc(3000);
    size_t medium_bytes = fh_test_malloc_usable_size(medium);
    struct fh_account before = read_account();
    fh_test_free(small);
    struct fh_account after = read_account();
    assert_int_equal(after.cached_bytes, before.cached_bytes + 64);
    assert_int_equal(after.live_bytes, before.live_bytes - 64);
    fh_test_free(medium);
    after = read_account();
    assert_int_equal(after.cached_bytes, before.cached_bytes + 64 + medium_bytes);
    fh_state_flush(fh_state_self());
    after = read_account();
    assert_int_equal(after.cached_bytes, 0);
    assert_int_equal(after.live_bytes, 64);
    assert_int_equal(after.live_blocks, 1);
    fh_test_free(keep);
    fh_core_trim(0);
    after = read_account();
    assert_int_equal(after.live_bytes + after.live_blocks + after.cached_bytes + after.rounding_bytes, 0);
}

static void untouched_memory_is_no_free_memory(void **state)
{
    (void)state;
    void *p = fh_heap_alloc(fh_heaps_get(0), 100000, 16, NULL);
    struct fh_account account = read_account();
    assert_true(account.untouched_bytes > 500000);
    assert_true(account.free_bytes < 4096);
    fh_heap_free(fh_heaps_get(0), p);
    account = read_account();
    assert_true(account.free_bytes >= 100000 && account.free_bytes < 100000 + 4096);
}

static void stranded_and_kept_mappings_have_their_place(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) fh_test_free(fh_test_malloc(300000));
    struct fh_account account = read_account();
    assert_int_equal(account.free_bytes, fh_large_counts.warm_bytes);
    assert_true(account.free_bytes >= 300000);
    fake_refuse(FAKE_UNMAP);
    fh_large_purge();
    account = read_account();
    assert_int_equal(account.free_bytes, 0);
    assert_true(account.untouched_bytes >= 300000);
}

static void allocate(void *unused)
{
    (void)unused;
    for (int i = 0; i < 300; i++) {
        void *p = fh_test_malloc(16 + (size_t)i * 11);
        if (i % 2) fh_test_free(p);
    }
    fh_core_settle(); /* what others see of a thread is as of its last slow step */
}

static void other_threads_are_counted(void **state)
{
    (void)state;
    fake_os.cpus = 2;
    fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, NULL);
    struct fh_account account = read_account();
    assert_int_equal(account.threads, 2);
    assert_int_equal(account.live_blocks, 150);
    unit_thread_end(thread);
    account = read_account();
    assert_int_equal(account.threads, 1);
    assert_int_equal(account.live_blocks, 150);
}

static void it_prints_one_line_an_item(void **state)
{
    (void)state;
    static const char *const labels[] = {
        "live",     "rounding", "cached",   "free",   "untouched", "metadata", "= from the kernel",
        "obtained", "returned", "resident", "blocks", "heaps",     "threads"};
    fh_test_malloc(1234567);
    fake_forget_text();
    fh_account_print(9);
    assert_int_equal(fake_text_fd(), 9);
    assert_int_equal(fake_text_pieces(), 1);
    const char *at = fake_text();
    assert_memory_equal(at, "freehold: account of pid 4711 (fake_process)", 44);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        at = strchr(at, '\n') + 1;
        assert_memory_equal(at, "  ", 2);
        assert_memory_equal(at + 2, labels[i], strlen(labels[i]));
    }
    assert_string_equal(strchr(at, '\n'), "\n");
    assert_said("12,345,678  the whole process");
    fake_forget_text();
    fh_account_report(7); /* a message, on the standard error that was kept */
    assert_int_equal(fake_text_fd(), 7);
    assert_said("freehold: account of pid 4711");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(an_empty_heap_is_all_zero),
    cmocka_unit_test(live_blocks_are_counted_by_usable_bytes),
    cmocka_unit_test(freed_blocks_are_cached_then_free),
    cmocka_unit_test(untouched_memory_is_no_free_memory),
    cmocka_unit_test(stranded_and_kept_mappings_have_their_place),
    cmocka_unit_test(other_threads_are_counted),
    cmocka_unit_test(it_prints_one_line_an_item),
};
UNIT_GROUP(account);
