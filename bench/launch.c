/*
 * launch.c - the program bench-launch: starts a command with a changed environment, waits for it, and writes what it
 * used to the file descriptor that the variable BENCH_RESULT_FD names (3 without it).
 *
 *     bench-launch [-c] [NAME=VALUE]... -- COMMAND [ARGUMENT]...
 *
 * It exists because a process that execs keeps the peak RSS of what it was before: started from a Python process every
 * command would seem to have Python's. This one is small and linked statically. NAME=VALUE is for the command alone (a
 * preload is), -c counts the command's memory system calls, which makes it slow.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int launch_result_fd = 3;

extern char **environ;

void launch_die(const char *what)
{
    fprintf(stderr, "bench-launch: %s: %s\n", what, strerror(errno));
    exit(125);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The environment with `changes` of them ahead: the first of two variables of one name counts. */
static char **changed_environment(char **changes, int count)
{
    int present = 0;
    while (environ[present] != NULL)
        present++;
    char **all = calloc((size_t)(count + present + 1), sizeof *all);
    if (all == NULL)
        launch_die("calloc");
    memcpy(all, changes, (size_t)count * sizeof *all);
    int filled = count;
    for (int i = 0; i < present; i++) {
        int replaced = 0;
        for (int k = 0; k < count; k++) {
            size_t name = strcspn(changes[k], "=") + 1;
            replaced |= strncmp(environ[i], changes[k], name) == 0;
        }
        if (!replaced)
            all[filled++] = environ[i];
    }
    return all;
}

static int launch_plain(char **argv, char **environment, struct rusage *usage)
{
    int status;
    pid_t child = fork();
    if (child == -1)
        launch_die("fork");
    if (child == 0) {
        close(launch_result_fd);
        execve(argv[0], argv, environment);
        launch_die(argv[0]);
    }
    while (wait4(child, &status, 0, usage) == -1)
        if (errno != EINTR)
            launch_die("wait4");
    return status;
}

int main(int argc, char **argv)
{
    int counted = argc > 1 && strcmp(argv[1], "-c") == 0;
    int first = 1 + counted, command = first;
    while (command < argc && strcmp(argv[command], "--") != 0)
        command++;
    if (command + 1 >= argc) {
        fprintf(stderr, "usage: bench-launch [-c] [NAME=VALUE]... -- COMMAND [ARGUMENT]...\n");
        return 125;
    }
    const char *result_fd = getenv("BENCH_RESULT_FD");
    if (result_fd != NULL)
        launch_result_fd = atoi(result_fd);
    char **environment = changed_environment(argv + first, command - first);
    struct rusage usage;
    unsigned long calls[LAUNCH_CALLS] = {0};
    double start = now_s();
    int status = counted ? launch_counted(argv + command + 1, environment, &usage, calls)
                         : launch_plain(argv + command + 1, environment, &usage);
    double wall = now_s() - start;
    FILE *out = fdopen(launch_result_fd, "w");
    if (out == NULL)
        launch_die("the file descriptor for the result");
    fprintf(out, "wall_s %.6f user_s %.6f sys_s %.6f peak_rss_kib %ld minor_faults %ld major_faults %ld switches %ld ",
            wall, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt,
            usage.ru_nvcsw + usage.ru_nivcsw);
    for (int i = 0; counted && i < LAUNCH_CALLS; i++)
        fprintf(out, "%s_calls %lu ", launch_call_names[i], calls[i]);
    fprintf(out, "status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(out) == 0 ? 0 : 125;
}
