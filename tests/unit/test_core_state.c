/*
 * test_core_state.c - thread states: attached, abandoned, adopted, borrowed, settled, published.
 */
#include "unit.h"

#include "core.h"
#include "options.h"
#include "state.h"
#include "wholesale.h"

static struct fh_state *seen;
static void look(void *unused)
{
    (void)unused;
    seen = fh_state_self();
}

static void the_first_thread_has_the_static_state(void **state)
{
    (void)state;
    assert_ptr_equal(fh_cache_self(), &fh_cache_none);
    struct fh_state *own = fh_state_self();
    assert_int_equal(own->id, 1);
    assert_ptr_equal(fh_state_by_id(1), own);
    assert_int_equal(own->status, FH_STATE_RUNNING);
    assert_int_equal(own->thread, fh_os_self());
    assert_ptr_equal(fh_cache_self(), &own->cache);
    assert_int_equal(fh_wholesale.obtained_bytes, 0); /* without a call to the kernel */
    assert_ptr_equal(fh_state_self(), own);
    assert_ptr_equal(own->heap, fh_heaps_get(0));
    assert_null(fh_state_by_id(0));
    assert_null(fh_state_by_id(2));
    assert_null(fh_state_by_id(FH_ENTRY_OWNER_LIMIT));
    assert_null(fh_state_by_id(UINT32_MAX));
    assert_int_equal(fh_state_id_end(), 2);
    assert_sound();
}

/* The loader may set thread-local memory back to zero after the first calls. */
static void the_first_thread_finds_its_state_again(void **state)
{
    (void)state;
    struct fh_state *own = fh_state_self();
    char *p = fh_test_malloc(64);
    fh_cache_set_self(&fh_cache_none);
    assert_ptr_equal(fh_state_self(), own);
    fh_test_free(p);
    assert_sound();
}

static void a_state_outlives_its_thread_and_is_adopted(void **state)
{
    (void)state;
    fh_state_self();
    unit_in_thread(look, NULL);
    struct fh_state *first = seen;
    assert_int_equal(first->id, 2);
    assert_int_equal(first->status, FH_STATE_ABANDONED);
    assert_int_equal(first->thread, 0);
    assert_int_equal(fh_wholesale.state_bytes, fake_mapped_bytes());
    for (int i = 0; i < 20; i++) {
        unit_in_thread(look, NULL);
        assert_ptr_equal(seen, first);
    }
    assert_int_equal(fh_state_id_end(), 3);
    assert_sound();
}

static void as_many_states_as_threads_at_the_peak(void **state)
{
    (void)state;
    enum { THREADS = 40 };
    fake_os.cpus = 4;
    fh_state_self();
    for (int round = 0; round < 3; round++) {
        struct unit_thread *threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            threads[i] = unit_thread_start();
            unit_thread_do(threads[i], look, NULL);
            assert_int_equal(seen->heap->id, (seen->id - 1) % 4);
            assert_ptr_equal(fh_state_by_id(seen->id), seen);
        }
        struct fh_account account;
        fh_account_read(&account);
        assert_int_equal(account.threads, THREADS + 1);
        for (int i = 0; i < THREADS; i++) unit_thread_end(threads[i]);
        assert_int_equal(fh_state_id_end(), THREADS + 2);
        assert_sound();
    }
}

static void a_thread_without_a_state_still_allocates(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(5000)); /* the heap is there */
    fake_refuse(FAKE_MAP);
    unit_in_thread(look, NULL);
    assert_null(seen);
    fake_allow_all();
    assert_sound();
}

static void allocate_without_a_state(void *out)
{
    *(void **)out = fh_test_malloc(50);
    fh_test_free(fh_test_malloc(5000));
}

static void refused_states_fall_back_to_chunks(void **state)
{
    (void)state;
    void *p = NULL;
    fh_test_free(fh_test_malloc(5000));
    fake_refuse(FAKE_MAP);
    unit_in_thread(allocate_without_a_state, &p);
    fake_allow_all();
    assert_non_null(p);
    fh_test_free(p);
    assert_sound();
}

static void past_the_destructors(void *out)
{
    struct fh_state *own = fh_state_self();
    char *p = fh_test_malloc(64);
    fh_cache_set_self(&fh_cache_ended);
    fh_state_abandon(own);
    assert_null(fh_state_self());
    for (int i = 0; i < 1000; i++) {
        char *q = fh_test_malloc(64), *r = fh_test_malloc(5000);
        fh_test_free(q);
        fh_test_free(r);
    }
    struct fh_state *borrowed = fh_state_enter();
    assert_ptr_equal(borrowed, own);
    assert_int_equal(borrowed->status, FH_STATE_RUNNING);
    fh_state_leave(borrowed);
    assert_int_equal(own->status, FH_STATE_ABANDONED);
    fh_test_free(p);
    *(bool *)out = true;
}

static void late_destructors_borrow_a_state(void **state)
{
    (void)state;
    bool done = false;
    fh_state_self();
    unit_in_thread(past_the_destructors, &done);
    assert_true(done);
    assert_int_equal(fh_state_id_end(), 3); /* the thread's own one, again and again */
    fh_core_trim(0);
    assert_sound();
    assert_int_equal(fh_heaps_get(0)->used_chunks, 0);
}

static void settle_keeps_off_running_states(void **state)
{
    (void)state;
    struct fh_state *own = fh_state_self();
    struct unit_thread *thread = unit_thread_start();
    unit_thread_do(thread, look, NULL);
    char *p = fh_test_malloc(64);
    own->published.outgoing_objects += 0;
    seen->inbox = NULL;
    fh_state_settle(seen); /* nothing in the inbox */
    assert_int_equal(seen->status, FH_STATE_RUNNING);
    unit_thread_end(thread);
    fh_test_free(p);
    assert_sound();
}

/* An abandoned state is being drained while another thread pops it: the drainer puts it back. */
static void a_claimed_state_is_not_adopted(void **state)
{
    (void)state;
    fh_state_self();
    unit_in_thread(look, NULL);
    struct fh_state *claimed = seen;
    claimed->status = FH_STATE_CLAIMED;
    unit_in_thread(look, NULL);
    assert_ptr_not_equal(seen, claimed);
    assert_int_equal(claimed->status, FH_STATE_CLAIMED_POPPED);
    claimed->status = FH_STATE_ABANDONED; /* as the drainer does */
    fh_state_push_abandoned(claimed);
    unit_in_thread(look, NULL);
    assert_true(seen == claimed || seen->id == 3);
    assert_sound();
}

static void options_apply_to_the_own_cache(void **state)
{
    (void)state;
    fh_state_apply_options(); /* without a state: nothing to do */
    struct fh_state *own = fh_state_self();
    fh_test_free(fh_test_malloc(100));
    fh_options.cache_bytes = 1024;
    fh_state_apply_options();
    assert_int_equal(own->cache_bytes, 1024);
    assert_int_equal(fh_cache_bin_of(&own->cache, 64)->room, 16);
    assert_null(fh_cache_bin_of(&own->cache, 112)->head);
    fh_options.perturb = 1;
    fh_state_apply_options();
    assert_int_equal(own->cache_bytes, 0);
    assert_int_equal(own->medium.most_bytes, 0);
    assert_null(fh_state_if_plain());
    fh_options.perturb = 0;
    fh_state_apply_options();
    assert_ptr_equal(fh_state_if_plain(), own);
    assert_int_equal(own->medium.most_bytes, fh_options.medium_cache_bytes);
    assert_sound();
}

static void flush_gives_everything_back(void **state)
{
    (void)state;
    struct fh_state *own = fh_state_self();
    for (size_t size = 1; size < 60000; size = size * 5 / 4 + 1) fh_test_free(fh_test_malloc(size));
    fh_state_flush(own);
    FH_EACH_CLASS(size) {
        assert_null(fh_cache_bin_of(&own->cache, size)->head);
        assert_int_equal(fh_cache_bin_of(&own->cache, size)->room, fh_cache_capacity(size, own->cache_bytes));
    }
    assert_int_equal(own->medium.blocks, 0);
    fh_small_release_empty(own);
    assert_int_equal(own->heap->used_chunks, 0);
    assert_int_equal(own->slabs.counts.slab_bytes, 0);
    assert_sound();
}

static void states_end_with_the_owner_numbers(void **state)
{
    (void)state;
    fh_state_self();
    fake_refuse(FAKE_MAP);
    for (int i = 0; i < 5; i++) {
        unit_in_thread(look, NULL);
        assert_null(seen);
    }
    fake_allow_all();
    unit_in_thread(look, NULL);
    assert_int_equal(seen->id, 7); /* numbers that were lost are lost */
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_thread_has_the_static_state),
    cmocka_unit_test(the_first_thread_finds_its_state_again),
    cmocka_unit_test(a_state_outlives_its_thread_and_is_adopted),
    cmocka_unit_test(as_many_states_as_threads_at_the_peak),
    cmocka_unit_test(a_thread_without_a_state_still_allocates),
    cmocka_unit_test(refused_states_fall_back_to_chunks),
    cmocka_unit_test(late_destructors_borrow_a_state),
    cmocka_unit_test(settle_keeps_off_running_states),
    cmocka_unit_test(a_claimed_state_is_not_adopted),
    cmocka_unit_test(options_apply_to_the_own_cache),
    cmocka_unit_test(flush_gives_everything_back),
    cmocka_unit_test(states_end_with_the_owner_numbers),
};
UNIT_GROUP(state);
