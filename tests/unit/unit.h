/*
 * unit.h - what every unit test file uses: cmocka, the prefixed entry points, faults and soundness as assertions.
 *
 * Each test runs in a process of its own (unit.c), so the library's globals are always as at the start of a program:
 * initialised by its constructor, without a thread state, without memory.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api.h"
#include "base.h"

#ifdef FH_UNIT_FAKE
#include "fake_os.h"
#include "freehold.h"
#endif

/* Says that the tests of `file` are these, in the variable `tests` above. */
#define UNIT_GROUP(file)                                                                        \
    __attribute__((constructor)) static void register_group(void)                               \
    {                                                                                           \
        static struct unit_group group = {#file, tests, sizeof tests / sizeof tests[0], NULL};  \
        unit_register(&group);                                                                  \
    }                                                                                           \
    FH_STATIC_ASSERT(sizeof tests > 0, "a group has tests")

struct unit_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    struct unit_group *next;
};
void unit_register(struct unit_group *group);

/* True under valgrind and sanitizers: exhaustive loops take larger steps there. */
bool unit_is_slow(void);

#ifdef FH_UNIT_FAKE
typedef void unit_action(void *arg);

/* The action runs into a fault whose line is "freehold: " and this. The locks that it held stay held. */
void unit_expect_fault(unit_action *action, void *arg, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* True when the action ends in fh_os_abort; what it said is in fake_text. */
bool unit_aborts(unit_action *action, void *arg);
void unit_free(void *pointer); /* fh_test_free as an action */

/* Every invariant holds, the ledger is what the fake kernel has given, and no call broke os.h's contract. */
#define assert_sound() unit_assert_sound(__FILE__, __LINE__)
void unit_assert_sound(const char *file, int line);

/* Ids of what fh_check reports now, such as "H1 H2", each once, in the order of the first report. */
const char *unit_violations(void);

#define assert_aligned(pointer, alignment) assert_int_equal((uintptr_t)(pointer) % (alignment), 0)
#define assert_text(expected) assert_string_equal(fake_text(), expected)
#define assert_said(part) unit_assert_said(part, __FILE__, __LINE__)
void unit_assert_said(const char *part, const char *file, int line);
void unit_fill(void *pointer, size_t size, unsigned seed);
void unit_assert_filled(const void *pointer, size_t size, unsigned seed);
bool unit_is_zero(const void *pointer, size_t size);

/* A thread that does one thing after the other, as it is told; the caller waits for each. */
struct unit_thread;
struct unit_thread *unit_thread_start(void);
void unit_thread_do(struct unit_thread *thread, unit_action *action, void *arg);
void unit_thread_end(struct unit_thread *thread);
/* In a thread that lives for just this. */
void unit_in_thread(unit_action *action, void *arg);

/* control.c has no header of its own: <malloc.h> declares these under the system's names. */
struct mallinfo;
struct mallinfo2;
int fh_test_mallopt(int parameter, int value);
int fh_test_malloc_trim(size_t pad);
void fh_test_malloc_stats(void);
int fh_test_malloc_info(int options, FILE *stream);
#endif

#endif
