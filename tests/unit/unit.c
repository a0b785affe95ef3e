/*
 * unit.c - the test program's main: runs each test in a forked process and shows the output of those that fail.
 *
 *     unit_tests [--list] [FILE...]      all files without an argument; FILE is a source file's name without .c
 */
#define _GNU_SOURCE 1
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct unit_group *groups;

void unit_register(struct unit_group *group)
{
    struct unit_group **link = &groups;
    while (*link && strcmp((*link)->name, group->name) < 0) link = &(*link)->next;
    group->next = *link;
    *link = group;
}

bool unit_is_slow(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(UNIT_SANITIZED)
    return true;
#else
    static int slow = -1;
    if (slow < 0) slow = getenv("FH_UNIT_SLOW") != NULL;
    return slow;
#endif
}

/* In the child: the one test, as a cmocka group of its own. */
static int run_here(const struct unit_group *group, const struct CMUnitTest *test)
{
    const struct CMUnitTest one[] = {*test};
#ifdef FH_UNIT_FAKE
    if (!fh_version()[0]) return 1; /* the reference links the library's constructor */
#endif
    alarm(unit_is_slow() ? 400 : 60);
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    int failed = cmocka_run_group_tests_name(group->name, one, NULL, NULL);
    fflush(NULL);
    return failed ? 1 : 0;
}

static void show(FILE *output)
{
    char buffer[4096];
    size_t got;
    rewind(output);
    while ((got = fread(buffer, 1, sizeof buffer, output)) > 0) fwrite(buffer, 1, got, stdout);
}

/* _Fork: the library's fork handlers would give the child a thread state. */
static bool run(const struct unit_group *group, const struct CMUnitTest *test)
{
    FILE *output = tmpfile();
    if (!output) {
        perror("unit: tmpfile");
        exit(2);
    }
    fflush(NULL);
    pid_t child = _Fork();
    if (child < 0) {
        perror("unit: fork");
        exit(2);
    }
    if (child == 0) {
        dup2(fileno(output), 1);
        dup2(fileno(output), 2);
        exit(run_here(group, test));
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%s %s: %s\n", passed ? "ok    " : "FAILED", group->name, test->name);
    if (!passed) {
        if (WIFSIGNALED(status)) printf("    ended by signal %d\n", WTERMSIG(status));
        show(output);
    }
    fclose(output);
    return passed;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(name, argv[i]) == 0) return true;
    return argc <= 1;
}

int main(int argc, char **argv)
{
    size_t ran = 0, failed = 0;
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    for (struct unit_group *group = groups; group; group = group->next) {
        if (list) printf("%s\n", group->name);
        if (list || !is_wanted(group->name, argc, argv)) continue;
        for (size_t i = 0; i < group->count; i++, ran++) failed += !run(group, &group->tests[i]);
    }
    if (list) return 0;
    printf("%zu tests, %zu failed\n", ran, failed);
    return failed || ran == 0 ? 1 : 0;
}
