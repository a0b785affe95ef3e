/*
 * test_heap_heap_trim.c - giving back on request, in steps between which others may do anything.
 */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "core.h"
#include "heap.h"
#include "options.h"

enum { MANY = 6000 };
static char *blocks[MANY];
static struct fh_heap *heap;

static void get_all(void)
{
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    for (int i = 0; i < MANY; i++) assert_non_null(blocks[i] = fh_heap_alloc(heap, 9000, 16, NULL));
}
static void free_all_but(int every)
{
    for (int i = 0; i < MANY; i++)
        if (i % every) fh_heap_free(heap, blocks[i]);
}
static size_t dirty(void) { return heap->free_bytes - heap->purged_bytes; }

static void all_of_a_large_heap_goes(void **state)
{
    (void)state;
    get_all();
    fake_os.now_ms = 1;
    free_all_but(50);
    fh_heap_trim(heap, 0);
    assert_true(dirty() < (size_t)MANY / 50 * 2 * 4096);
    assert_null(heap->cursor);
    assert_false(fh_heap_trim(heap, 0));
    assert_sound();
    for (int i = 0; i < MANY; i += 50) fh_heap_free(heap, blocks[i]);
    fh_heap_trim(heap, 0);
    assert_int_equal(fake_break_bytes(), 4096);
    assert_sound();
}

static size_t discarded_with_lock, discarded_without;
static void note_discard(size_t bytes)
{
    if (fh_lock_state(&heap->lock) == FH_LOCK_FREE) discarded_without += bytes;
    else discarded_with_lock += bytes;
}

static void pages_go_without_the_lock(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;                                         /* not by itself */
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]); /* one chunk of 50 MB */
    assert_true(dirty() > 50000000);
    fake_os.on_discard = note_discard;
    fh_heap_trim(heap, 0);
    assert_true(dirty() < 3 * 4096);
    assert_true(discarded_with_lock <= 3 * 4096); /* the page of the tag between two slices */
    assert_true(discarded_without > 50000000);
    assert_true(heap->given_back_bytes >= discarded_without && heap->purged_bytes >= discarded_without);
    assert_sound();
    size_t was_taken = heap->taken_again_bytes;
    fh_heap_free(heap, fh_heap_alloc(heap, 40000000, 16, NULL));
    assert_true(heap->taken_again_bytes > was_taken && heap->taken_again_bytes <= heap->given_back_bytes);
}

/* The same in a heap that gives back by itself: the end of a step is no free of so many bytes. */
static void a_returning_heap_keeps_to_it(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    heap->returning = true;
    fake_os.on_discard = note_discard;
    fh_heap_trim(heap, 0);
    assert_true(heap->returning);
    assert_true(dirty() < 3 * 4096);
    assert_true(discarded_with_lock <= 3 * 4096);
    assert_sound();
}

static void the_top_is_emptied_first(void **state)
{
    (void)state;
    get_all();
    heap->trim_at_bytes = SIZE_MAX; /* not by itself */
    for (int i = MANY; i-- > 1;) fh_heap_free(heap, blocks[i]);
    assert_true(heap->fresh - (char *)heap->top > 50000000);
    fake_os.on_discard = note_discard;
    assert_true(fh_heap_trim(heap, 3000000));
    size_t left = (size_t)(heap->fresh - (char *)heap->top);
    assert_true(left >= 3000000 && left < 3000000 + 3 * 4096);
    assert_int_equal(discarded_with_lock, 0);
    assert_true(discarded_without > 46000000);
    assert_sound();
    fake_refuse(FAKE_BREAK_DOWN);
    assert_true(fh_heap_trim(heap, 0)); /* its pages at least */
    assert_sound();
    char *again = fh_test_calloc(1, 60000);
    assert_true(unit_is_zero(again, 60000));
    fake_refuse(FAKE_DISCARD);
    memset(again, 1, 60000);
    fh_test_free(again);
    fh_heap_trim(heap, 0);
    assert_sound();
}

/* What is withheld is no block of the program's, to whoever looks meanwhile. */
static size_t live_before, phantoms;
static int count_live(const struct fh_block *block, void *count)
{
    *(size_t *)count += block->state == FH_STATE_LIVE;
    return 0;
}
static void look_at_account(size_t bytes)
{
    if (!heap->withheld) return;
    struct fh_account account;
    fh_account_read(&account);
    size_t live = 0;
    fh_walk(count_live, &live);
    phantoms += live - live_before;
    assert_int_equal(account.live_blocks, live_before);
    assert_true(account.cached_bytes >= bytes);
    assert_sound();
}

static void nobody_sees_a_phantom(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    struct fh_account account;
    fh_account_read(&account);
    fh_walk(count_live, &live_before);
    assert_int_equal(account.live_blocks, live_before);
    size_t live_bytes = account.live_bytes;
    fake_os.on_discard = look_at_account;
    fh_heap_trim(heap, SIZE_MAX / 2);
    assert_int_equal(phantoms, 0);
    fh_account_read(&account);
    assert_int_equal(account.live_bytes, live_bytes);
    assert_int_equal(account.cached_bytes, 0);
}

/* Of what is free, no more than a slice is out of reach: not of a chunk, of one whose pages have gone, or of top. */
static size_t slices;
static void look_at_rest(size_t bytes)
{
    if (bytes <= 4096 || !heap->withheld) return;
    assert_true(bytes <= 16 << 20);
    assert_true(fh_chunk_size(fh_chunk_read(heap->withheld)) <= (16 << 20) + 2 * 4096);
    size_t size = fh_chunk_size(fh_chunk_read(heap->top));
    char *mine = fh_heap_alloc(heap, 15000000, 16, NULL);
    assert_non_null(mine);
    assert_true(fh_chunk_size(fh_chunk_read(heap->top)) + 20000000 > size); /* not because it grew */
    slices++;
    assert_sound();
    fh_heap_free(heap, mine);
    assert_sound();
}

static void no_more_than_a_slice_is_out_of_reach(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    fh_options.trim_threshold = SIZE_MAX;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    fake_refuse_memory();
    fake_os.on_discard = look_at_rest;
    heap->return_at_bytes = SIZE_MAX;
    fh_heap_trim(heap, SIZE_MAX / 2);
    assert_true(slices >= 3);
    slices = 0;
    fh_heap_free(heap, blocks[MANY - 1]); /* all of it is top's now */
    fh_heap_trim(heap, 0);
    assert_true(slices >= 3);
    assert_sound();
}

/* Another thread's malloc, of what no memory is left for but what is withheld at the moment. */
static char *waited_for;
static bool is_ready; /* atomic */
static void *want_most_of_it(void *unused)
{
    fh_test_free(fh_test_malloc(5000)); /* it has a state and a heap */
    __atomic_store_n(&is_ready, true, __ATOMIC_RELEASE);
    while (!fh_load_relaxed(&heap->withheld)) fh_os_pause_us(20);
    waited_for = fh_test_malloc(40000000);
    return unused;
}
static void give_time(size_t bytes)
{
    if (bytes > 4096) fh_os_pause_us(10000);
}

static void nobody_goes_without_for_a_trim(void **state)
{
    (void)state;
    fake_os.cpus = 2;
    get_all();
    fh_options.give_back = 0;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, want_most_of_it, NULL), 0);
    while (!__atomic_load_n(&is_ready, __ATOMIC_ACQUIRE)) fh_os_pause_us(20);
    fake_refuse_memory();
    fake_os.on_discard = give_time;
    fh_heap_trim(heap, SIZE_MAX / 2);
    pthread_join(thread, NULL);
    assert_non_null(waited_for);
    fake_allow_all();
    fh_test_free(waited_for);
    assert_null(fh_test_malloc((size_t)1 << 40));
    fh_core_settle();
    assert_sound();
}

static bool in_child;
static void look_at_child(size_t bytes)
{
    (void)bytes;
    if (in_child || !heap->withheld) return;
    in_child = true;
    size_t used = heap->used_chunks;
    heap->withheld_by++; /* another thread's, as a forked child sees it */
    fh_heap_end_withheld(heap);
    assert_int_equal(heap->used_chunks, used - 1);
    assert_null(heap->withheld);
    assert_sound();
    siglongjmp(fake_os.abort_to, 1);
}

/* What a fork's child does with what was withheld, when the thread that did so does not exist there. */
static void a_child_frees_what_is_withheld(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    fake_os.on_discard = look_at_child;
    if (sigsetjmp(fake_os.abort_to, 0) == 0) fh_heap_trim(heap, 0);
    assert_true(in_child);
    fh_heap_free(heap, blocks[0]);
    assert_sound();
}

/* A fork begins while the second slice is out, and does not end before the trim has. */
static unsigned slices_out;
static void fork_begins(size_t bytes)
{
    if (bytes > 4096 && heap->withheld && ++slices_out == 2) fh_fork_prepare();
}
static void trim_into_a_fork(void)
{
    get_all();
    fh_options.give_back = 0;
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]);
    fake_os.on_discard = fork_begins;
    assert_true(fh_heap_trim(heap, SIZE_MAX / 2)); /* before, it waited for the fork, which may wait for this thread */
    assert_int_equal(slices_out, 2);
    assert_int_equal(fh_lock_state(&heap->lock), FH_LOCK_FROZEN);
    assert_ptr_equal(heap->handed_over, fh_chunk_payload(heap->withheld));
}
static size_t live_blocks(void)
{
    struct fh_account account;
    fh_account_read(&account);
    return account.live_blocks;
}

static void a_slice_is_handed_over_to_who_comes_after_a_fork(void **state)
{
    (void)state;
    trim_into_a_fork();
    assert_int_equal(live_blocks(), 3); /* what is handed over is taken off the live bytes, and stays a block */
    assert_string_equal(unit_violations(), "");
    assert_false(fh_heap_trim(heap, SIZE_MAX / 2)); /* nor does the next one wait */
    fh_fork_parent();
    size_t used = heap->used_chunks, purged = heap->purged_bytes;
    fh_heap_settle(heap);
    assert_null(heap->withheld);
    assert_null(heap->handed_over);
    assert_int_equal(heap->handed_over_bytes, 0);
    assert_int_equal(heap->used_chunks, used - 1);
    assert_true(heap->purged_bytes >= purged + (16 << 20)); /* what has gone is known still */
    assert_int_equal(live_blocks(), 2);
    assert_sound();
    assert_true(fh_heap_trim(heap, SIZE_MAX / 2));
    assert_true(dirty() < 3 * 4096);
    assert_sound();
}

static void a_child_frees_what_was_handed_over_with_a_slice(void **state)
{
    (void)state;
    trim_into_a_fork();
    size_t used = heap->used_chunks;
    fh_heap_free(heap, blocks[0]); /* to the list as well */
    fh_fork_child();
    assert_null(heap->withheld);
    fh_heap_settle(heap);
    assert_int_equal(heap->used_chunks, used - 2);
    assert_int_equal(heap->handed_over_bytes, 0);
    assert_sound();
    assert_true(fh_heap_trim(heap, SIZE_MAX / 2));
    assert_true(dirty() < 3 * 4096);
    assert_sound();
}

/* One in `every` stays of so many blocks; what a trim then does under one hold of the lock at most. */
static struct fh_heap_work most_of_a_trim(int count, int every)
{
    static void *held[10 * MANY];
    for (int i = 0; i < count; i++) {
        held[i] = fh_heap_alloc(heap, 2000 + (size_t)i % 3 * 3000, 16, NULL);
        assert_non_null(held[i]);
    }
    for (int i = 0; i < count; i++)
        if (i % every) fh_heap_free(heap, held[i]);
    fh_heap_settle(heap);
    fh_heap_end_work();
    fh_heap_work_most = (struct fh_heap_work){0, 0};
    fh_heap_trim(heap, 0);
    struct fh_heap_work most = fh_heap_work_most;
    assert_true(dirty() < (size_t)(count / every + 1) * 3 * 4096);
    for (int i = 0; i < count; i += every) fh_heap_free(heap, held[i]);
    fh_heap_trim(heap, 0);
    assert_sound();
    return most;
}

static void the_lock_is_held_no_longer_in_a_larger_heap(void **state)
{
    (void)state;
    fh_core_ensure_init();
    heap = fh_heaps_get(0);
    fh_options.give_back = 0;
    static const int every[] = {1, 2, 10, 1000, 1000000}; /* 1: all of them live, and nothing to give back */
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        struct fh_heap_work some = most_of_a_trim(MANY, every[i]), ten = most_of_a_trim(10 * MANY, every[i]);
        print_message("one in %d: %zu chunks and %zu bytes, ten times as many: %zu and %zu\n", every[i], some.chunks,
                      some.bytes, ten.chunks, ten.bytes);
        assert_true(some.chunks > 0 && some.chunks <= 512 && ten.chunks <= 512);
        assert_true(some.bytes <= 2 * 4096 && ten.bytes <= 2 * 4096);
    }
}

static void refused_it_ends(void **state)
{
    (void)state;
    get_all();
    free_all_but(50);
    fake_refuse(FAKE_DISCARD), fake_refuse(FAKE_BREAK_DOWN);
    assert_false(fh_heap_trim(heap, 0));
    assert_sound();
}

/* A trim that could not end leaves its cursor behind, as in the child of a fork: the heap returns pages all the same.
 */
static void a_cursor_left_behind_is_no_sweep(void **state)
{
    (void)state;
    get_all();
    heap->cursor = fh_segment_first(heap->segments);
    free_all_but(50);
    assert_true(heap->returning);
    assert_true(heap->purged_bytes > 40000000);
    assert_sound();
}

static void refused_it_leaves_no_cursor(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    free_all_but(50);
    fake_refuse(FAKE_DISCARD), fake_refuse(FAKE_BREAK_DOWN);
    assert_false(fh_heap_trim(heap, 0));
    assert_null(heap->cursor);
    assert_sound();
}

static void *thaw(void *unused)
{
    fh_os_pause_us(5000);
    fh_lock_thaw(&heap->lock);
    return unused;
}

static void it_outlasts_a_fork(void **state)
{
    (void)state;
    get_all();
    fh_options.give_back = 0;
    free_all_but(50);
    assert_true(fh_lock_freeze(&heap->lock));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, thaw, NULL), 0);
    assert_true(fh_heap_trim(heap, 0));
    pthread_join(thread, NULL);
    assert_true(dirty() < (size_t)MANY / 50 * 2 * 4096);
    assert_sound();
}

static bool stop; /* atomic */
static void disturb(void *unused)
{
    (void)unused;
    uint64_t dice = 9;
    void *mine[64] = {NULL};
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        void **slot = &mine[(dice >> 33) % 64];
        if (*slot) fh_heap_free(heap, *slot);
        *slot = fh_heap_alloc(heap, 300 + (size_t)(dice >> 40) % 60000, 16, NULL);
    }
    for (int i = 0; i < 64; i++)
        if (mine[i]) fh_heap_free(heap, mine[i]);
}
static void trim_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 30; i++) fh_heap_trim(heap, 0);
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
}
static void *in_thread(void *unused)
{
    trim_often(unused);
    return NULL;
}

static void others_may_do_anything_meanwhile(void **state)
{
    (void)state;
    get_all();
    free_all_but(7);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
    disturb(NULL);
    pthread_join(thread, NULL);
    fh_heap_settle(heap);
    assert_sound();
    for (int i = 0; i < MANY; i += 7) fh_heap_free(heap, blocks[i]);
    assert_sound();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_of_a_large_heap_goes),
    cmocka_unit_test(pages_go_without_the_lock),
    cmocka_unit_test(a_returning_heap_keeps_to_it),
    cmocka_unit_test(the_top_is_emptied_first),
    cmocka_unit_test(nobody_sees_a_phantom),
    cmocka_unit_test(no_more_than_a_slice_is_out_of_reach),
    cmocka_unit_test(nobody_goes_without_for_a_trim),
    cmocka_unit_test(a_child_frees_what_is_withheld),
    cmocka_unit_test(a_slice_is_handed_over_to_who_comes_after_a_fork),
    cmocka_unit_test(a_child_frees_what_was_handed_over_with_a_slice),
    cmocka_unit_test(the_lock_is_held_no_longer_in_a_larger_heap),
    cmocka_unit_test(refused_it_ends),
    cmocka_unit_test(a_cursor_left_behind_is_no_sweep),
    cmocka_unit_test(refused_it_leaves_no_cursor),
    cmocka_unit_test(it_outlasts_a_fork),
    cmocka_unit_test(others_may_do_anything_meanwhile),
};
UNIT_GROUP(heap_trim);
