/*
 * test_core_fork.c - the fork handlers, called directly and by fork(2): freezing, and what a child makes of torn
 * states.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "pagemap.h"
#include "state.h"

enum { COUNT = 300 };
static char *theirs[COUNT];

static void allocate(void *unused)
{
    (void)unused;
    for (int i = 0; i < COUNT; i++) {
        theirs[i] = fh_test_malloc(i % 3 ? 64 : 3000);
        unit_fill(theirs[i], 60, (unsigned)i);
    }
    for (int i = 0; i < COUNT; i += 2) fh_test_free(theirs[i]); /* some cached, some on their slabs' lists */
}

static void prepare_freezes_every_heap(void **state)
{
    (void)state;
    fake_os.cpus = 3;
    fh_heaps_for(3);
    fh_fork_prepare();
    for (uint32_t i = 0; i < 3; i++) assert_false(fh_lock_try(&fh_heaps_get(i)->lock));
    char *small = fh_test_malloc(64), *medium = fh_test_malloc(5000), *large = fh_test_malloc(500000);
    assert_true(small && medium && large); /* nobody waits: memory of its own */
    assert_int_equal(fh_entry_kind(fh_pagemap_get(medium)), FH_PAGE_LARGE);
    fh_test_free(small), fh_test_free(medium), fh_test_free(large);
    fh_fork_parent();
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(fh_lock_try(&fh_heaps_get(i)->lock));
        fh_lock_release(&fh_heaps_get(i)->lock);
    }
    assert_sound();
}

static void a_held_lock_stays_held(void **state)
{
    (void)state;
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    assert_true(fh_lock_acquire(&heap->lock)); /* a signal handler interrupted us here, and forks */
    fh_fork_prepare();
    assert_int_equal(fh_lock_state(&heap->lock), FH_LOCK_HELD);
    fh_fork_parent();
    assert_int_equal(fh_lock_state(&heap->lock), FH_LOCK_HELD);
    fh_lock_release(&heap->lock);
    assert_sound();
}

static void a_single_threaded_child_is_whole(void **state)
{
    (void)state;
    char *p = fh_test_malloc(64);
    fh_fork_prepare();
    fh_fork_child();
    assert_int_equal(fh_fork_torn_states, 0);
    assert_int_equal(fh_fork_has_torn, FH_FORK_WHOLE);
    assert_true(fh_lock_try(&fh_heaps_get(0)->lock));
    fh_lock_release(&fh_heaps_get(0)->lock);
    fh_test_free(p);
    assert_sound();
}

/* The handlers as in a child: the other thread stands still, and its state is torn, repaired and adopted. */
static void torn_states_are_repaired(void **state)
{
    (void)state;
    char *mine = fh_test_malloc(64);
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, NULL);
    for (int i = 1; i < 20; i += 2) fh_test_free(theirs[i]); /* on their way when the fork comes */
    fh_fork_prepare();
    fh_fork_child();
    assert_int_equal(fh_fork_torn_states, 1);
    assert_int_equal(fh_fork_has_torn, FH_FORK_TORN);
    assert_int_equal(fh_state_by_id(2)->status, FH_STATE_TORN);
    assert_true(fh_fork_settle());
    assert_int_equal(fh_fork_torn_states, 0);
    assert_int_equal(fh_state_by_id(2)->status, FH_STATE_ABANDONED);
    assert_string_equal(unit_violations(), "");
    assert_int_equal(fh_fork_has_torn, FH_FORK_TORN_AND_REBASED);
    for (int i = 21; i < COUNT; i += 2) {
        unit_assert_filled(theirs[i], 60, (unsigned)i);
        fh_test_free(theirs[i]);
    }
    fh_test_free(mine);
    fh_state_flush(fh_state_self());
    assert_string_equal(unit_violations(), "");
    assert_int_equal(fh_slab_class_of(&fh_state_by_id(2)->slabs, 64)->slabs, 0); /* all of it was found */
}

/* Blocks of a torn owner that this thread's cache keeps are on their slabs' lists from then on, and there only. */
static void a_child_keeps_no_blocks_of_torn_owners(void **state)
{
    (void)state;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, NULL);
    while (own->lacks[64 / FH_ALIGNMENT] < FH_LACKS_ENOUGH) fh_test_malloc(64);
    int32_t room = fh_cache_bin_of(&own->cache, 64)->room;
    for (int i = 1; i < 30; i += 2) fh_test_free(theirs[i]);
    assert_int_equal(fh_cache_bin_of(&own->cache, 64)->room, room - 10);
    fh_fork_prepare();
    fh_fork_child();
    assert_int_equal(fh_cache_bin_of(&own->cache, 64)->room, room);
    assert_true(fh_fork_settle());
    assert_string_equal(unit_violations(), "");
    for (int i = 0; i < COUNT; i++) assert_int_equal(fh_entry_owner(fh_pagemap_get(fh_test_malloc(64))), own->id);
    for (int i = 31; i < COUNT; i += 2) fh_test_free(theirs[i]);
    fh_state_flush(own);
    assert_string_equal(unit_violations(), "");
    assert_int_equal(fh_slab_class_of(&fh_state_by_id(2)->slabs, 64)->slabs, 0);
}

/* While a fork is under way a repair is put off, and waits for nothing. */
static void a_repair_does_not_wait_for_a_fork(void **state)
{
    (void)state;
    fh_state_self();
    unit_thread_do(unit_thread_start(), allocate, NULL);
    fh_fork_prepare();
    fh_fork_child();
    assert_int_equal(fh_fork_torn_states, 1);
    fh_fork_prepare();
    assert_false(fh_fork_settle());
    fh_fork_parent();
    assert_int_equal(fh_fork_torn_states, 1);
    assert_true(fh_fork_settle());
    assert_int_equal(fh_fork_torn_states, 0);
    assert_string_equal(unit_violations(), "");
}

static void free_in_the_child(void *unused)
{
    (void)unused;
    for (int i = 1; i < COUNT; i += 2) {
        unit_assert_filled(theirs[i], 60, (unsigned)i);
        fh_test_free(theirs[i]);
    }
    for (int i = 0; i < 2000; i++) fh_test_free(fh_test_malloc((size_t)i * 7 % 5000));
}

static void a_real_child_goes_on(void **state)
{
    (void)state;
    fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, allocate, NULL);
    pid_t child = fork(); /* with the handlers that the constructor registered */
    if (child == 0) {
        free_in_the_child(NULL);
        _exit(fh_check(NULL, NULL) == 0 && fake_contract_errors() == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unit_thread_do(thread, free_in_the_child, NULL);
    unit_thread_end(thread);
    assert_sound();
}

static void handed_over_blocks_survive(void **state)
{
    (void)state;
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    char *a = fh_heap_alloc(heap, 3000, 16, NULL), *b = fh_heap_alloc(heap, 4000, 16, NULL);
    fh_fork_prepare();
    fh_heap_free(heap, a);
    fh_heap_free(heap, b);
    fh_fork_child();
    assert_int_equal(heap->handed_over_bytes, 3000 + 4008); /* usable bytes */
    assert_non_null(fh_heap_alloc(heap, 100, 16, NULL));
    assert_int_equal(heap->used_chunks, 1);
    assert_int_equal(heap->handed_over_bytes, 0);
    assert_sound();
}

static sem_t at_discard, go_on;
static void stop_at_discard(size_t bytes)
{
    (void)bytes;
    fake_os.on_discard = NULL;
    sem_post(&at_discard);
    while (sem_wait(&go_on) != 0) {}
}
static void *trim(void *heap)
{
    fh_state_self();
    fh_heap_trim(heap, 0);
    return NULL;
}

/* One thread trims and has a chunk withheld; a signal handler of another, in the middle of this heap, forks. What is
 * withheld is freed in the child, but not in the middle of that. */
static void what_is_withheld_waits_for_a_better_moment(void **state)
{
    (void)state;
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    char *below = fh_heap_alloc(heap, 50000, 16, NULL), *block = fh_heap_alloc(heap, 50000, 16, NULL);
    fh_heap_alloc(heap, 50000, 16, NULL);
    fh_heap_free(heap, block);
    sem_init(&at_discard, 0, 0), sem_init(&go_on, 0, 0);
    fake_os.on_discard = stop_at_discard;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, trim, heap), 0);
    while (sem_wait(&at_discard) != 0) {}
    assert_non_null(heap->withheld);

    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool sound = !heap->withheld;
        _exit(sound && fh_check(NULL, NULL) == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    assert_true(fh_lock_acquire(&heap->lock));
    child = fork();
    if (child == 0) {
        alarm(20);
        size_t free_bytes = heap->free_bytes;
        bool is_withheld = heap->withheld && !fh_fork_settle();
        fh_lock_release(&heap->lock); /* the handler has returned */
        fh_heap_free(heap, below);
        bool settled = fh_fork_settle() && !heap->withheld && heap->free_bytes > free_bytes + 99000;
        _exit(is_withheld && settled && fh_check(NULL, NULL) == 0 ? 0 : 1);
    }
    fh_lock_release(&heap->lock);
    waitpid(child, &status, 0);
    sem_post(&go_on);
    pthread_join(thread, NULL);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_sound();
}

static void settle_waits_for_a_better_moment(void **state)
{
    (void)state;
    fh_state_self();
    struct fh_heap *heap = fh_heaps_get(0);
    fh_fork_torn_states = 1;
    assert_true(fh_lock_acquire(&heap->lock));
    assert_false(fh_fork_settle()); /* in a signal handler, in the middle of a heap */
    assert_int_equal(fh_fork_torn_states, 1);
    fh_lock_release(&heap->lock);
    assert_true(fh_fork_settle());
    assert_int_equal(fh_fork_torn_states, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(prepare_freezes_every_heap),
    cmocka_unit_test(a_held_lock_stays_held),
    cmocka_unit_test(a_single_threaded_child_is_whole),
    cmocka_unit_test(torn_states_are_repaired),
    cmocka_unit_test(a_child_keeps_no_blocks_of_torn_owners),
    cmocka_unit_test(a_repair_does_not_wait_for_a_fork),
    cmocka_unit_test(a_real_child_goes_on),
    cmocka_unit_test(handed_over_blocks_survive),
    cmocka_unit_test(what_is_withheld_waits_for_a_better_moment),
    cmocka_unit_test(settle_waits_for_a_better_moment),
};
UNIT_GROUP(fork);
