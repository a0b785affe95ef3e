/*
 * test_insight_unwind.c - the walk over the running thread's stack: it names each caller, and ends where that does.
 */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "fake_os.h"
#include "unwind.h"

/* How often the kernel was asked whether something can be read (the linker has this called instead). */
static unsigned asked;
bool __real_fh_os_is_readable(const void *address);
bool __wrap_fh_os_is_readable(const void *address);
bool __wrap_fh_os_is_readable(const void *address)
{
    asked++;
    return __real_fh_os_is_readable(address);
}

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

enum { STACK_BYTES = 64 * 1024, WIDE = 12 }; /* a frame of 12,000 bytes */

/* Walks over several pages of the stack that it is called on, twice; how often the second one asks. */
static unsigned asked_by_second_walk(void)
{
    for (int i = 0; i < 2; i++) {
        asked = return_count = 0;
        wide(WIDE);
        assert_returns_found();
        assert_true(depth > 6 || return_count == 6);
    }
    return asked;
}

static void *walk_twice(void *second_asks)
{
    *(unsigned *)second_asks = asked_by_second_walk();
    return NULL;
}

static void own_stacks_are_asked_for_once(void **state)
{
    (void)state;
    unsigned asks = 1;
    fake_os.pid = fh_os_tid(); /* this is the first thread */
    fh_unwind_init();
    assert_int_equal(asked_by_second_walk(), 0);
    assert_false(truncated);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, walk_twice, &asks), 0);
    pthread_join(thread, NULL);
    assert_int_equal(asks, 0);
    assert_false(truncated);
}

/* Of a stack that the program has made nobody knows how long it is there. */
static ucontext_t main_context, made_context;
static unsigned asks_on_made_stack;
static void run_on_made_stack(void) { asks_on_made_stack = asked_by_second_walk(); }

static void made_stacks_are_asked_for_each_time(void **state)
{
    (void)state;
    fake_os.pid = fh_os_tid();
    fh_unwind_init();
    asked_by_second_walk();
    for (int i = 0; i < 2; i++) {
        char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(stack != MAP_FAILED);
        assert_int_equal(getcontext(&made_context), 0);
        made_context.uc_stack.ss_sp = stack;
        made_context.uc_stack.ss_size = STACK_BYTES;
        made_context.uc_link = &main_context;
        makecontext(&made_context, run_on_made_stack, 0);
        asks_on_made_stack = 0;
        assert_int_equal(swapcontext(&main_context, &made_context), 0);
        assert_true(asks_on_made_stack > 0);
        munmap(stack, STACK_BYTES);
    }
    assert_int_equal(asked_by_second_walk(), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_caller_is_named),
    cmocka_unit_test(a_deep_stack_is_cut),
    cmocka_unit_test(a_thread_has_an_end),
    cmocka_unit_test(callbacks_of_libc),
    cmocka_unit_test(own_stacks_are_asked_for_once),
    cmocka_unit_test(made_stacks_are_asked_for_each_time),
};
UNIT_GROUP(unwind);
