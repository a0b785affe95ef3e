/*
 * test_api_startup.c - the constructor: what is in place before main, and what the program's exit does.
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
    assert_int_equal(fh_heaps_count(), 1);
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

/* This program once more, which ends at once: what the library says at its start and end, by the environment. */
static const char *said_by_a_run(const char *environment)
{
    static char said[8192];
    char self[400] = "", command[700];
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "env FH_UNIT_SPEAK=1 %s '%s' --list", environment, self);
    FILE *run = popen(command, "r");
    assert_non_null(run);
    size_t length = fread(said, 1, sizeof said - 1, run);
    said[length] = 0;
    assert_int_equal(pclose(run), 0);
    return said;
}

static void the_environment_asks_for_a_report(void **state)
{
    (void)state;
    static const char line[] = "freehold: account of pid 4711 (fake_process)";
    static const char *const unwanted[] = {"", "0", "2", "al", "allx", "47110", "4711x"};
    assert_non_null(strstr(said_by_a_run("FREEHOLD_REPORT=1"), line));
    assert_non_null(strstr(said_by_a_run("FREEHOLD_REPORT=all"), line));
    assert_non_null(strstr(said_by_a_run("FREEHOLD_REPORT=4711"), line));
    for (int i = 0; i < 7; i++) {
        char variable[50];
        snprintf(variable, sizeof variable, "FREEHOLD_REPORT=%s", unwanted[i]);
        assert_null(strstr(said_by_a_run(variable), "freehold: account"));
    }
    assert_null(strstr(said_by_a_run("FREEHOLD_CHECK=1"), "freehold:"));
    assert_non_null(strstr(said_by_a_run("FREEHOLD_CHEK=1"), "freehold: unknown option FREEHOLD_CHEK"));
}

/* CVE-2023-4911: nothing is read where the program runs with other rights than its caller's. */
static void a_setuid_program_reads_nothing(void **state)
{
    (void)state;
    assert_null(strstr(said_by_a_run("FH_UNIT_SECURE=1 FREEHOLD_REPORT=1 FREEHOLD_CHEK=1"), "freehold:"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_version_is_the_headers),
    cmocka_unit_test(the_constructor_has_run),
    cmocka_unit_test(threads_ends_are_known),
    cmocka_unit_test(fork_handlers_are_registered),
    cmocka_unit_test(the_environment_asks_for_a_report),
    cmocka_unit_test(a_setuid_program_reads_nothing),
};
UNIT_GROUP(startup);
