/*
 * test_insight_unwind.c - the walk over the running thread's stack: it names each caller, and ends where that does.
 */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "unwind.h"

enum { MOST = 64 };
static uint64_t frames[MOST];
static unsigned depth;
static bool truncated;

/* Where the functions below return to, the outermost first: what the walk has to find, from its second frame on. */
static void *returns[MOST * 4];
static unsigned return_count;
#define NOTE_RETURN() (returns[return_count++] = __builtin_return_address(0))

__attribute__((noinline)) static int innermost(int n)
{
    NOTE_RETURN();
    depth = fh_unwind(frames, MOST, &truncated);
    return n + 1;
}
__attribute__((noinline)) static int recurse(int n)
{
    NOTE_RETURN();
    return n ? recurse(n - 1) + 1 : innermost(n) + 1;
}
/* Its frame has a size that is known only at run time. */
__attribute__((noinline)) static int wide(int n)
{
    NOTE_RETURN();
    volatile char *room = __builtin_alloca((size_t)n * 1000);
    room[0] = 1;
    return recurse(3) + room[0];
}

static void assert_returns_found(void)
{
    for (unsigned i = 0; i < return_count && i + 1 < depth; i++)
        assert_int_equal(frames[i + 1] + 1, (uintptr_t)returns[return_count - 1 - i]);
}

static void every_caller_is_named(void **state)
{
    (void)state;
    fh_unwind_init();
    wide(3);
    assert_false(truncated);
    assert_int_equal(return_count, 6);
    assert_true(depth > 6 && depth < MOST);
    assert_returns_found();
}

static void a_deep_stack_is_cut(void **state)
{
    (void)state;
    fh_unwind_init();
    recurse(200);
    assert_int_equal(depth, MOST);
    assert_true(truncated);
    assert_returns_found();
}

static void *on_thread(void *arg)
{
    (void)arg;
    recurse(2);
    return NULL;
}

static void a_thread_has_an_end(void **state)
{
    (void)state;
    fh_unwind_init();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, on_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_false(truncated);
    assert_true(depth >= 5 && depth < 10);
}

static int compare(const void *a, const void *b)
{
    if (!return_count) {
        NOTE_RETURN();
        innermost(1);
    }
    return *(const int *)a - *(const int *)b;
}

/* Through the C library, which has no frame pointers. */
static void callbacks_of_libc(void **state)
{
    (void)state;
    fh_unwind_init();
    int numbers[4] = {3, 1, 2, 0};
    qsort(numbers, 4, sizeof numbers[0], compare);
    assert_false(truncated);
    assert_int_equal(return_count, 2);
    assert_true(depth >= 5);
    assert_returns_found();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_caller_is_named),
    cmocka_unit_test(a_deep_stack_is_cut),
    cmocka_unit_test(a_thread_has_an_end),
    cmocka_unit_test(callbacks_of_libc),
};
UNIT_GROUP(unwind);
