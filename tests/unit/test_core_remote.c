/*
 * test_core_remote.c - frees of other threads' small blocks: batches, inboxes, abandoned owners.
 */
#include "unit.h"

#include "core.h"
#include "pagemap.h"
#include "state.h"

enum { COUNT = 100 };
static char *blocks[COUNT];
static struct fh_state *theirs;

static void allocate(void *size)
{
    theirs = fh_state_self();
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = fh_test_malloc(*(size_t *)size);
        unit_fill(blocks[i], *(size_t *)size, (unsigned)i);
    }
}
static void allocate_one(void *size) { fh_test_malloc(*(size_t *)size); }
static void nothing(void *unused) { (void)unused; }
static void flush(void *unused)
{
    (void)unused;
    fh_state_flush(fh_state_self());
}

static void batches_go_out_whole(void **state)
{
    (void)state;
    size_t size = 64;
    fake_os.cpus = 2;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    assert_int_equal(theirs->id, 2);
    for (int i = 0; i < FH_OUTGOING_MOST - 1; i++) {
        fh_test_free(blocks[i]);
        assert_int_equal(own->published.outgoing_objects, i + 1);
        assert_int_equal(own->published.outgoing_bytes, (i + 1) * 64);
        assert_null(theirs->inbox);
    }
    fh_test_free(blocks[FH_OUTGOING_MOST - 1]);
    assert_int_equal(own->published.outgoing_objects, 0);
    assert_non_null(theirs->inbox);
    assert_int_equal(fh_transit_objects, FH_OUTGOING_MOST);
    assert_int_equal(fh_transit_bytes, FH_OUTGOING_MOST * 64);
    for (int i = FH_OUTGOING_MOST; i < COUNT; i++) fh_test_free(blocks[i]);
    fh_remote_flush(own);
    assert_int_equal(fh_transit_objects, COUNT);
    unit_thread_do(thread, flush, NULL);
    assert_null(theirs->inbox);
    assert_int_equal(fh_transit_objects + fh_transit_bytes, 0);
    unit_thread_end(thread);
    assert_sound();
    assert_int_equal(fh_slab_class_of(&theirs->slabs, 64)->slabs, 0);
}

static void large_blocks_fill_a_batch_sooner(void **state)
{
    (void)state;
    size_t size = 256;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    int most = FH_OUTGOING_MOST_BYTES / 256;
    for (int i = 0; i < most; i++) fh_test_free(blocks[i]);
    assert_int_equal(own->published.outgoing_objects, 0);
    assert_int_equal(fh_transit_objects, most);
    unit_thread_end(thread);
    assert_int_equal(fh_transit_objects, 0); /* the end of a thread looks into its inbox */
    for (int i = most; i < COUNT; i++) fh_test_free(blocks[i]);
    fh_state_flush(own);
    assert_sound();
}

static void the_owner_takes_them_when_it_needs_memory(void **state)
{
    (void)state;
    size_t size = 64;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    for (int i = 0; i < COUNT; i++) fh_test_free(blocks[i]);
    fh_remote_flush(own);
    for (int i = 0; i < 1000 && theirs->inbox; i++) unit_thread_do(thread, allocate_one, &size);
    assert_null(theirs->inbox);
    assert_int_equal(fh_transit_objects, 0);
    unit_thread_end(thread);
    assert_sound();
}

static void an_abandoned_owner_is_settled_at_once(void **state)
{
    (void)state;
    size_t size = 128;
    fh_state_self(); /* or this thread would adopt the state */
    unit_in_thread(allocate, &size);
    assert_int_equal(theirs->status, FH_STATE_ABANDONED);
    assert_true(fh_slab_class_of(&theirs->slabs, 128)->slabs > 0);
    for (int i = 0; i < COUNT; i++) fh_test_free(blocks[i]);
    fh_remote_flush(fh_state_self());
    assert_null(theirs->inbox);
    assert_int_equal(theirs->status, FH_STATE_ABANDONED);
    assert_int_equal(fh_transit_objects, 0);
    fh_core_trim(0); /* takes back what an abandoned state keeps for its next thread */
    assert_int_equal(fh_slab_class_of(&theirs->slabs, 128)->slabs, 0); /* and its empty slabs went back */
    assert_sound();
}

static void slots_are_shared_by_owners(void **state)
{
    (void)state;
    enum { THREADS = FH_OUTGOING_SLOTS + 3 };
    size_t size = 32;
    struct unit_thread *threads[THREADS];
    char *one[THREADS];
    struct fh_state *own = fh_state_self();
    for (int i = 0; i < THREADS; i++) {
        threads[i] = unit_thread_start();
        unit_thread_do(threads[i], allocate, &size);
        one[i] = blocks[0];
    }
    for (int i = 0; i < THREADS; i++) {
        fh_test_free(one[i]); /* pushes out the batch for another owner of the same slot */
        assert_int_equal(own->published.outgoing_objects, i < FH_OUTGOING_SLOTS ? i + 1 : FH_OUTGOING_SLOTS);
    }
    assert_int_equal(fh_transit_objects, THREADS - FH_OUTGOING_SLOTS);
    for (int i = 0; i < THREADS; i++) unit_thread_end(threads[i]);
    fh_state_flush(own);
    assert_int_equal(fh_transit_objects, 0);
    assert_sound();
}

static void without_a_state_each_goes_by_itself(void **state)
{
    (void)state;
    size_t size = 48;
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    fh_remote_free(NULL, blocks[0], fh_pagemap_get(blocks[0]));
    fh_remote_free(NULL, blocks[1], fh_pagemap_get(blocks[1]));
    assert_int_equal(fh_transit_objects, 2);
    assert_ptr_equal(theirs->inbox, blocks[1]);
    unit_thread_do(thread, nothing, NULL);
    unit_thread_do(thread, flush, NULL);
    assert_int_equal(fh_transit_objects + fh_transit_bytes, 0);
    unit_thread_end(thread);
    assert_sound();
}

static void free_twice_elsewhere(void *block)
{
    fh_test_free(block);
    unit_expect_fault(unit_free, block, "double free: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block,
                      (size_t)fh_slab_of(block, fh_pagemap_get(block)));
}

static void a_second_free_is_seen_on_the_way(void **state)
{
    (void)state;
    char *block = fh_test_malloc(64);
    unit_in_thread(free_twice_elsewhere, block);
    unit_expect_fault(unit_free, block, "double free: 0x%zx, 64 bytes, in a slab at 0x%zx of heap 0", (size_t)block,
                      (size_t)fh_slab_of(block, fh_pagemap_get(block)));
}

static int32_t room_of(struct fh_state *own, size_t size) { return fh_cache_bin_of(&own->cache, size)->room; }

/* Runs out of the class as often as it takes for blocks of others to be kept. */
static void lack(struct fh_state *own, size_t size)
{
    while (own->lacks[size / FH_ALIGNMENT] < FH_LACKS_ENOUGH) fh_test_malloc(size);
}

static void who_lacks_keeps(void **state)
{
    (void)state;
    size_t size = 256;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    fh_test_free(blocks[0]);
    assert_int_equal(own->published.outgoing_objects, 1); /* it has not lacked any */
    lack(own, size);
    int32_t room = room_of(own, size);
    assert_true(room >= 2);
    fh_test_free(blocks[1]);
    fh_test_free(blocks[2]);
    assert_int_equal(room_of(own, size), room - 2);
    assert_int_equal(own->published.outgoing_objects, 1);
    assert_sound();
    assert_ptr_equal(fh_test_malloc(size), blocks[2]);
    assert_ptr_equal(fh_test_malloc(size), blocks[1]);
    int next = 1;
    while (room_of(own, size) > 0) fh_test_free(blocks[next++]);
    assert_int_equal(own->published.outgoing_objects, 1);
    fh_test_free(blocks[next++]);
    assert_int_equal(own->published.outgoing_objects, 2); /* the cache is full, */
    assert_true(own->lacks[size / FH_ALIGNMENT] < FH_LACKS_ENOUGH);
    fh_test_malloc(size);
    fh_test_free(blocks[next++]);
    assert_int_equal(own->published.outgoing_objects, 3); /* and that it is not any more is no lack */
    fh_state_flush(own);
    assert_int_equal(own->published.outgoing_objects, 0);
    assert_int_equal(fh_transit_objects, next - 1); /* all but the one taken last have gone home */
    unit_thread_do(thread, flush, NULL);
    assert_int_equal(fh_transit_objects, 0);
    unit_thread_end(thread);
    assert_sound();
}

/* One that is handed over and freed before anything else is asked for: what is asked for then shares no line with it.
 */
static void who_lacks_none_gets_its_own(void **state)
{
    (void)state;
    size_t size = 16;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    fh_test_free(blocks[0]);
    for (int i = 0; i < COUNT; i++) {
        char *block = fh_test_malloc(size);
        assert_int_equal(fh_entry_owner(fh_pagemap_get(block)), own->id);
        fh_test_free(block);
    }
    fh_test_free(blocks[1]);
    assert_int_equal(fh_entry_owner(fh_pagemap_get(fh_test_malloc(size))), own->id);
    fh_state_flush(own);
    unit_thread_end(thread);
    assert_sound();
}

static void *taken_again[COUNT];
static void allocate_again(void *size)
{
    for (int i = 0; i < COUNT; i++) taken_again[i] = fh_test_malloc(*(size_t *)size);
}

/* When its slabs have nothing more to give, the owner takes its inbox straight into its cache. */
static void the_owner_uses_what_comes_back(void **state)
{
    (void)state;
    size_t size = 256;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, &size);
    for (int i = 0; i < COUNT; i++) fh_test_free(blocks[i]);
    fh_remote_flush(own);
    size_t slabs = fh_slab_class_of(&theirs->slabs, 256)->slabs;
    for (int round = 0; round < 4; round++) {
        unit_thread_do(thread, allocate_again, &size);
        for (int i = 0; i < COUNT; i++) fh_test_free(taken_again[i]);
        fh_remote_flush(own);
    }
    assert_true(fh_slab_class_of(&theirs->slabs, 256)->slabs <= slabs + 1);
    unit_thread_do(thread, flush, NULL);
    assert_int_equal(fh_transit_objects + fh_transit_bytes, 0);
    unit_thread_end(thread);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_owner_uses_what_comes_back),
    cmocka_unit_test(batches_go_out_whole),
    cmocka_unit_test(large_blocks_fill_a_batch_sooner),
    cmocka_unit_test(the_owner_takes_them_when_it_needs_memory),
    cmocka_unit_test(an_abandoned_owner_is_settled_at_once),
    cmocka_unit_test(slots_are_shared_by_owners),
    cmocka_unit_test(without_a_state_each_goes_by_itself),
    cmocka_unit_test(a_second_free_is_seen_on_the_way),
    cmocka_unit_test(who_lacks_keeps),
    cmocka_unit_test(who_lacks_none_gets_its_own),
};
UNIT_GROUP(remote);
