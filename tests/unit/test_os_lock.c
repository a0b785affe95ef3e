/*
 * test_os_lock.c - the lock, over the real futex: holding, waiting, freezing, thawing, and that nobody waits while
 * it is frozen.
 */
#include "unit.h"

#include <pthread.h>

#include "atomics.h"
#include "lock.h"

static struct fh_lock lock;

static void set_up(void) { fh_lock_init(&lock, FH_RANK_HEAP); }

static void taking_and_releasing(void **state)
{
    (void)state;
    set_up();
    assert_false(fh_lock_is_mine(&lock));
    assert_true(fh_lock_acquire(&lock));
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_HELD);
    assert_true(fh_lock_is_mine(&lock));
    assert_false(fh_lock_acquire(&lock)); /* a signal handler on top of the holder goes without */
    assert_false(fh_lock_try(&lock));
    fh_lock_release(&lock);
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_FREE);
    assert_false(fh_lock_is_mine(&lock));
    assert_true(fh_lock_try(&lock));
    fh_lock_release(&lock);
}

static void try_it(void *result) { *(int *)result = fh_lock_try(&lock) ? 1 : fh_lock_is_mine(&lock) ? 2 : 0; }

static void another_thread_does_not_get_it(void **state)
{
    (void)state;
    set_up();
    int result = -1;
    assert_true(fh_lock_acquire(&lock));
    unit_in_thread(try_it, &result);
    assert_int_equal(result, 0);
    fh_lock_release(&lock);
    unit_in_thread(try_it, &result);
    assert_int_equal(result, 1);
}

static void freezing_refuses_all(void **state)
{
    (void)state;
    set_up();
    assert_true(fh_lock_freeze(&lock));
    assert_false(fh_lock_acquire(&lock));
    assert_false(fh_lock_try(&lock));
    assert_false(fh_lock_is_mine(&lock));
    assert_true(fh_lock_freeze(&lock)); /* a second fork */
    fh_lock_thaw(&lock);
    assert_false(fh_lock_acquire(&lock));
    fh_lock_thaw(&lock);
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_FREE);
    assert_true(fh_lock_acquire(&lock));
    assert_false(fh_lock_freeze(&lock)); /* fork in a signal handler that interrupted the holder */
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_HELD);
    fh_lock_release(&lock);
}

static void the_child_resets(void **state)
{
    (void)state;
    set_up();
    for (int i = 0; i < 3; i++) fh_lock_freeze(&lock);
    fh_lock_reset_frozen(&lock);
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_FREE);
    assert_true(fh_lock_acquire(&lock));
    fh_lock_reset_frozen(&lock); /* held is not frozen */
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_HELD);
    fh_lock_release(&lock);
}

static size_t counter;
enum { THREADS = 4, ROUNDS = 20000 };

static void *count_up(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (!fh_lock_acquire(&lock)) fh_cpu_relax();
        size_t seen = counter; /* plain: the lock alone makes it right */
        if (i % 64 == 0) sched_yield();
        counter = seen + 1;
        fh_lock_release(&lock);
    }
    return unused;
}

static void one_thread_at_a_time(void **state)
{
    (void)state;
    set_up();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 200; i++) { /* forks meanwhile */
        assert_true(fh_lock_freeze(&lock));
        size_t seen = counter;
        sched_yield();
        assert_int_equal(counter, seen);
        fh_lock_thaw(&lock);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(counter, (size_t)THREADS * ROUNDS);
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_FREE);
}

static uint32_t got; /* atomic: 1 + the result of acquire */

static void *wait_for_it(void *unused)
{
    fh_store_release(&got, fh_lock_acquire(&lock) ? 2u : 1u);
    if (fh_load_relaxed(&got) == 2) fh_lock_release(&lock);
    return unused;
}

static void a_sleeper_is_woken_by_release(void **state)
{
    (void)state;
    set_up();
    pthread_t thread;
    assert_true(fh_lock_acquire(&lock));
    assert_int_equal(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
    while (fh_lock_state(&lock) != FH_LOCK_CONTENDED) sched_yield();
    assert_int_equal(fh_load_acquire(&got), 0);
    fh_lock_release(&lock);
    pthread_join(thread, NULL);
    assert_int_equal(got, 2);
}

static void *freeze_it(void *unused)
{
    if (fh_lock_freeze(&lock)) fh_store_release(&got, got + 10);
    return unused;
}

/* A fork waits for the holder; whoever sleeps for the lock then learns that he goes without. */
static void freezing_waits_for_the_holder(void **state)
{
    (void)state;
    set_up();
    pthread_t waiter, forker;
    assert_true(fh_lock_acquire(&lock));
    assert_int_equal(pthread_create(&forker, NULL, freeze_it, NULL), 0);
    while (fh_lock_state(&lock) != FH_LOCK_CONTENDED) sched_yield();
    assert_int_equal(fh_load_acquire(&got), 0);
    fh_lock_release(&lock);
    pthread_join(forker, NULL);
    assert_int_equal(got, 10);
    got = 0;
    assert_int_equal(pthread_create(&waiter, NULL, wait_for_it, NULL), 0);
    pthread_join(waiter, NULL); /* while it is frozen */
    assert_int_equal(got, 1);
    fh_lock_thaw(&lock);
}

static void a_word_that_freezes_wakes_sleepers(void **state)
{
    (void)state;
    set_up();
    pthread_t threads[THREADS], forker;
    assert_true(fh_lock_acquire(&lock));
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, NULL), 0);
    assert_int_equal(pthread_create(&forker, NULL, freeze_it, NULL), 0);
    while (fh_lock_state(&lock) != FH_LOCK_CONTENDED) sched_yield();
    fh_lock_release(&lock);
    pthread_join(forker, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL); /* hangs when one of them still sleeps */
    fh_lock_thaw(&lock);
    assert_int_equal(fh_lock_state(&lock), FH_LOCK_FREE);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(taking_and_releasing),
    cmocka_unit_test(another_thread_does_not_get_it),
    cmocka_unit_test(freezing_refuses_all),
    cmocka_unit_test(the_child_resets),
    cmocka_unit_test(one_thread_at_a_time),
    cmocka_unit_test(a_sleeper_is_woken_by_release),
    cmocka_unit_test(freezing_waits_for_the_holder),
    cmocka_unit_test(a_word_that_freezes_wakes_sleepers),
};
UNIT_GROUP(lock);
