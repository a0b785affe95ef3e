/*
 * test_heap_heap_trim.c - giving back on request, in steps between which others may do anything.
 */
#include "unit.h"

#include <pthread.h>

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
    fh_options.give_back = 0; /* not by itself */
    for (int i = 1; i < MANY - 1; i++) fh_heap_free(heap, blocks[i]); /* one chunk of 50 MB */
    assert_true(dirty() > 50000000);
    fake_os.on_discard = note_discard;
    fh_heap_trim(heap, 0);
    assert_true(dirty() < 3 * 4096);
    assert_int_equal(discarded_with_lock, 0);
    assert_true(discarded_without > 50000000);
    assert_sound();
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
    assert_int_equal(discarded_with_lock, 0);
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

static void refused_it_ends(void **state)
{
    (void)state;
    get_all();
    free_all_but(50);
    fake_refuse(FAKE_DISCARD), fake_refuse(FAKE_BREAK_DOWN);
    assert_false(fh_heap_trim(heap, 0));
    assert_sound();
}

/* A trim that could not end leaves its cursor behind, as in the child of a fork: the heap returns pages all the same. */
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
    cmocka_unit_test(a_child_frees_what_is_withheld),
    cmocka_unit_test(refused_it_ends),
    cmocka_unit_test(a_cursor_left_behind_is_no_sweep),
    cmocka_unit_test(refused_it_leaves_no_cursor),
    cmocka_unit_test(it_outlasts_a_fork),
    cmocka_unit_test(others_may_do_anything_meanwhile),
};
UNIT_GROUP(heap_trim);
