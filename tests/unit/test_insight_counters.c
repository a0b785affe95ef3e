/*
 * test_insight_counters.c - the counters: the details add up to the sums, and each counts what it says.
 */
#include "unit.h"

#include "core.h"
#include "counters.h"
#include "large.h"
#include "state.h"
#include "wholesale.h"

static struct fh_counters_detailed now;

static void read_now(void)
{
    memset(&now, 0x55, sizeof now);
    fh_counters_read_detailed(&now);
    struct fh_counters plain;
    fh_counters_read(&plain);
    plain.resident_bytes = now.process.resident_bytes; /* only the detailed reading asks the kernel */
    assert_memory_equal(&plain, &now.process, sizeof plain);
    uint64_t sum = 0;
#define FH_ITEM(item, remark, help) sum += now.process.item##_bytes;
#include "counters.def"
    assert_int_equal(sum, now.process.obtained_bytes - now.process.returned_bytes);
}

static void details_add_up(void **state)
{
    (void)state;
    void *p[600];
    fh_state_self();
    for (size_t i = 0; i < 600; i++) p[i] = fh_test_malloc(i * 3);
    for (size_t i = 0; i < 600; i += 2) fh_test_free(p[i]);
    fh_state_flush(fh_state_self());
    read_now();
    uint64_t live = 0, slabs = 0;
    for (size_t i = 1; i < FH_CLASS_COUNT; i++) {
        const struct fh_counters_of_class *class = &now.classes[i];
        assert_int_equal(class->carved, class->live + class->cached + class->listed);
        assert_true(class->carved <= class->capacity);
        live += class->live;
        slabs += class->slabs;
    }
    assert_int_equal(now.process.live_blocks, 300);
    assert_true(live > 30 && live < 300 && slabs >= 16);
    assert_int_equal(now.heap_count, 1);
    assert_int_equal(now.heaps[0].total_bytes, fake_break_bytes());
    assert_int_equal(now.heaps[0].total_bytes, now.heaps[0].used_bytes + now.heaps[0].free_bytes +
                                                   now.heaps[0].top_bytes + FH_SEGMENT_HEAD_BYTES +
                                                   FH_SEGMENT_TAIL_BYTES);
    assert_true(now.heaps[0].slab_bytes > 0 && now.heaps[0].slab_bytes < now.heaps[0].used_bytes);
    for (size_t i = 1; i < 600; i += 2) fh_test_free(p[i]);
}

/* The ledger counts each call that moved memory, and no other. */
static void calls_are_counted(void **state)
{
    (void)state;
    struct fh_counters before, after;
    fh_state_self();
    fh_counters_read(&before);
    void *p = fh_wholesale_map(65536);
    fh_counters_read(&after);
    assert_int_equal(after.obtain_calls, before.obtain_calls + 1);
    assert_int_equal(after.mappings, before.mappings + 1);
    fake_refuse(FAKE_MAP);
    assert_null(fh_wholesale_map(65536));
    fake_allow_all();
    assert_true(fh_wholesale_unmap(p, 65536));
    fh_counters_read(&after);
    assert_int_equal(after.obtain_calls, before.obtain_calls + 1);
    assert_int_equal(after.return_calls, before.return_calls + 1);
    assert_int_equal(after.mappings, before.mappings);
}

static void parts_are_named(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) fh_test_free(fh_test_malloc(300000));
    read_now();
    assert_int_equal(now.process.warm_bytes, fh_large_counts.warm_bytes);
    assert_true(now.process.warm_bytes >= 300000 && now.process.warm_bytes <= now.process.free_bytes);
    fake_refuse(FAKE_UNMAP);
    fh_large_purge();
    read_now();
    assert_int_equal(now.process.warm_bytes, 0);
    assert_true(now.process.stranded_bytes >= 300000 && now.process.stranded_bytes <= now.process.untouched_bytes);
    fake_allow_all();
    fh_test_free(fh_test_malloc(3000));
    read_now();
    assert_true(now.process.medium_cached_bytes >= 3000);
    assert_true(now.process.medium_cached_bytes <= now.process.cached_bytes);
    assert_int_equal(now.process.states, 1);
}

/* Pages within free chunks that go back, and come again. */
static void purges_are_counted(void **state)
{
    (void)state;
    void *p[40];
    for (int i = 0; i < 40; i++) p[i] = fh_test_malloc(60000);
    for (int i = 0; i < 40; i += 2) fh_test_free(p[i]);
    fh_test_malloc_trim(0);
    read_now();
    uint64_t given = now.process.given_back_bytes;
    assert_true(given >= 20 * 50000);
    assert_int_equal(now.process.purged_bytes, given);
    assert_int_equal(now.heaps[0].purged_bytes, given);
    assert_int_equal(now.process.taken_again_bytes, 0);
    p[0] = fh_test_malloc(60000);
    read_now();
    assert_int_equal(now.process.given_back_bytes, given);
    assert_true(now.process.taken_again_bytes >= 50000);
    assert_int_equal(now.process.purged_bytes, given - now.process.taken_again_bytes);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(details_add_up),
    cmocka_unit_test(calls_are_counted),
    cmocka_unit_test(parts_are_named),
    cmocka_unit_test(purges_are_counted),
};
UNIT_GROUP(counters);
