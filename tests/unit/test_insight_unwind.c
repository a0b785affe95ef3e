/*
 * test_insight_unwind.c - the walk over the running thread's stack: it names each caller, ends where the stack does, and
 * survives frames that can't be followed.
 */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "unwind.h"

enum { MOST = 64 };
static uint64_t frames[MOST];
static unsigned depth;
static bool truncated;

__attribute__((noinline)) static int innermost(int n)
{
    depth = fh_unwind(frames, MOST, &truncated);
    return n + 1;
}
__attribute__((noinline)) static int recurse(int n) { return n ? recurse(n - 1) + 1 : innermost(n) + 1; }
/* Its frame has a size that is known only at run time. */
__attribute__((noinline)) static int wide(int n)
{
    volatile char *room = __builtin_alloca((size_t)n * 1000);
    room[0] = 1;
    return recurse(3) + room[0];
}

static bool is_in(uint64_t frame, void *function, void *next)
{
    return frame >= (uintptr_t)function && frame < (uintptr_t)next;
}

static unsigned count_in(void *function, size_t bytes)
{
    unsigned count = 0;
    for (unsigned i = 0; i < depth; i++) count += is_in(frames[i], function, (char *)function + bytes);
    return count;
}

static void every_caller_is_named(void **state)
{
    (void)state;
    fh_unwind_init();
    wide(3);
    assert_false(truncated);
    assert_true(depth > 6 && depth < MOST);
    assert_true(is_in(frames[0], (void *)innermost, (char *)innermost + 200)); /* the library is a part of us: no skip */
    assert_int_equal(count_in((void *)recurse, 60), 4);
    assert_true(count_in((void *)wide, 120) >= 1);
}

static void a_deep_stack_is_cut(void **state)
{
    (void)state;
    fh_unwind_init();
    recurse(200);
    assert_int_equal(depth, MOST);
    assert_true(truncated);
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
    static int once;
    if (!once++) innermost(1);
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
    assert_int_equal(count_in((void *)compare, 60), 1);
    assert_true(depth >= 5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_caller_is_named),
    cmocka_unit_test(a_deep_stack_is_cut),
    cmocka_unit_test(a_thread_has_an_end),
    cmocka_unit_test(callbacks_of_libc),
};
UNIT_GROUP(unwind);
