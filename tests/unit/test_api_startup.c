/*
 * test_api_startup.c - the constructor: what is in place before main, and what the program's exit does. The exit is
 * looked at from outside a child, whose destructors run.
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomics.h"
#include "core.h"
#include "guard.h"
#include "options.h"
#include "state.h"

static void the_version_is_the_headers(void **state)
{
    (void)state;
    char expected[50];
    snprintf(expected, sizeof expected, "%d.%d.%d", FH_VERSION_MAJOR, FH_VERSION_MINOR, FH_VERSION_PATCH);
    assert_string_equal(fh_version(), expected);
}

static void the_constructor_has_run(void **state)
{
    (void)state;
    assert_true(fh_guard.secret != 0);
    assert_int_equal(fh_heaps_get(5)->id, 5);
    assert_ptr_equal(fh_cache_self(), &fh_cache_none); /* nobody has allocated yet */
}

static struct fh_state *seen;
static void look(void *unused)
{
    (void)unused;
    seen = fh_state_self();
}

static void threads_ends_are_known(void **state)
{
    (void)state;
    unit_in_thread(look, NULL);
    assert_int_equal(seen->status, FH_STATE_ABANDONED);
}

static void fork_handlers_are_registered(void **state)
{
    (void)state;
    fh_test_free(fh_test_malloc(10));
    pid_t child = fork();
    if (child == 0) _exit(fh_state_self()->frozen_heaps == 1 && fh_heaps_get(0)->lock.word == FH_LOCK_FREE ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(fh_heaps_get(0)->lock.word, FH_LOCK_FREE);
}

/* The program ends in a child of which only the destructors run; what they said comes back through a pipe. */
static int status_at_exit(const char *report, size_t check, bool damage, char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = _Fork();
    if (child == 0) {
        fh_options.report = report;
        fh_options.check = check;
        fake_forget_text();
        char *p = fh_test_malloc(3000);
        if (damage) p[-1] ^= 1;
        if (sigsetjmp(fake_os.abort_to, 0) == 0) {
            fake_os.abort_jumps = true;
            extern void (*__fini_array_start[])(void) __attribute__((visibility("hidden")));
            extern void (*__fini_array_end[])(void) __attribute__((visibility("hidden")));
            for (void (**fini)(void) = __fini_array_end; fini-- > __fini_array_start;) (*fini)();
        }
        ssize_t written = write(ends[1], fake_text(), strlen(fake_text()));
        _exit(written < 0 ? 99 : (int)fake_os.aborts);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], said + length, size - 1 - length)) > 0) length += (size_t)got;
    said[length] = 0;
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_end_reports_and_checks(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(status_at_exit(NULL, 0, false, said, sizeof said), 0);
    assert_string_equal(said, "");
    static const char *const wanted[] = {"1", "all", "4711"}, *const unwanted[] = {"", "0", "2", "al", "allx", "47110", "4711x"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(status_at_exit(wanted[i], 0, false, said, sizeof said), 0);
        assert_memory_equal(said, "freehold: account of pid 4711 (fake_process)", 44);
    }
    for (int i = 0; i < 7; i++) {
        assert_int_equal(status_at_exit(unwanted[i], 0, false, said, sizeof said), 0);
        assert_string_equal(said, "");
    }
    assert_int_equal(status_at_exit(NULL, 1, false, said, sizeof said), 0);
    assert_string_equal(said, "");
    assert_int_equal(status_at_exit(NULL, 1, true, said, sizeof said), 1);
    assert_non_null(strstr(said, "freehold: invariant H1 does not hold at "));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_version_is_the_headers),
    cmocka_unit_test(the_constructor_has_run),
    cmocka_unit_test(threads_ends_are_known),
    cmocka_unit_test(fork_handlers_are_registered),
    cmocka_unit_test(the_end_reports_and_checks),
};
UNIT_GROUP(startup);
