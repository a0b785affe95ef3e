/*
 * launch.c - the program bench-launch: starts a command with a changed environment, waits for it, and writes what it
 * used to the file descriptor that the variable BENCH_RESULT_FD names (3 without it).
 *
 *     bench-launch [-c] [-t SECONDS] [NAME=VALUE]... -- COMMAND [ARGUMENT]...
 *
 * It exists because a process that execs keeps the peak RSS of what it was before: started from a Python process every
 * command would seem to have Python's. This one is small and linked statically. NAME=VALUE is for the command alone (a
 * preload is), -c counts the command's system calls and finds its exact peak, which makes it slow; -t limits the CPU
 * time of each of its processes. When bench-launch is killed, so is the command.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int result_fd = 3;
static volatile pid_t command_pid;

extern char **environ;

void launch_die(const char *what)
{
    fprintf(stderr, "bench-launch: %s: %s\n", what, strerror(errno));
    exit(125);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

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
    while (environ[present] != NULL) present++;
    char **all = calloc((size_t)(count + present + 1), sizeof *all);
    if (all == NULL) launch_die("calloc");
    memcpy(all, changes, (size_t)count * sizeof *all);
    int filled = count;
    for (int i = 0; i < present; i++) {
        int replaced = 0;
        for (int k = 0; k < count; k++) {
            size_t name = strcspn(changes[k], "=") + 1;
            replaced |= strncmp(environ[i], changes[k], name) == 0;
        }
        if (!replaced) all[filled++] = environ[i];
    }
    return all;
}

/* A limit on CPU time would be simpler, but makes the kernel's process clock coarse, which workloads read. */
static void time_is_up(int number)
{
    if (command_pid > 0) kill(-command_pid, SIGKILL);
    (void)number;
}

static void set_limit(unsigned limit_s)
{
    struct sigaction action = {.sa_handler = time_is_up};
    if (sigaction(SIGALRM, &action, NULL) != 0) launch_die("sigaction");
    alarm(limit_s);
}

void launch_prepare(void)
{
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) launch_die("process group");
}

void launch_started(pid_t pid) { command_pid = pid; }

static int launch_plain(char **argv, char **environment, struct rusage *usage)
{
    int status;
    pid_t child = fork();
    if (child == -1) launch_die("fork");
    if (child == 0) {
        launch_prepare();
        execve(argv[0], argv, environment);
        launch_die(argv[0]);
    }
    launch_started(child);
    while (wait4(child, &status, 0, usage) == -1)
        if (errno != EINTR) launch_die("wait4");
    return status;
}

static int write_result(double wall, const struct rusage *usage, const struct launch_counts *counts, int status)
{
    FILE *out = fdopen(result_fd, "w");
    unsigned long sum = 0;
    if (out == NULL) launch_die("the file descriptor for the result");
    fprintf(out, "wall_s %.6f user_s %.6f sys_s %.6f peak_rss_kib %ld minor_faults %ld major_faults %ld switches %ld ",
            wall, seconds(usage->ru_utime), seconds(usage->ru_stime), usage->ru_maxrss, usage->ru_minflt,
            usage->ru_majflt, usage->ru_nvcsw + usage->ru_nivcsw);
    if (counts != NULL) {
        for (int i = 0; i < LAUNCH_CALLS; i++) {
            fprintf(out, "%s_calls %lu ", launch_call_names[i], counts->calls[i]);
            sum += counts->calls[i];
        }
        fprintf(out, "all_calls %lu exact_peak_kib %ld ", sum, counts->peak_kib);
    }
    fprintf(out, "status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(out) == 0 ? 0 : 125;
}

int main(int argc, char **argv)
{
    int option, counted = 0;
    while ((option = getopt(argc, argv, "+ct:")) != -1) {
        if (option == 'c') counted = 1;
        else if (option == 't') set_limit((unsigned)strtoul(optarg, NULL, 10));
        else return 125;
    }
    int first = optind, command = optind;
    if (strcmp(argv[optind - 1], "--") == 0) command = first = optind - 1; /* getopt took it for its own */
    while (command < argc && strcmp(argv[command], "--") != 0) command++;
    if (command + 1 >= argc) {
        fprintf(stderr, "usage: bench-launch [-c] [-t SECONDS] [NAME=VALUE]... -- COMMAND [ARGUMENT]...\n");
        return 125;
    }
    const char *fd = getenv("BENCH_RESULT_FD");
    if (fd != NULL) result_fd = atoi(fd);
    if (fcntl(result_fd, F_SETFD, FD_CLOEXEC) != 0) launch_die("the file descriptor for the result");
    char **environment = changed_environment(argv + first, command - first);
    struct rusage usage;
    struct launch_counts counts = {0};
    double start = now_s();
    int status = counted ? launch_counted(argv + command + 1, environment, &usage, &counts)
                         : launch_plain(argv + command + 1, environment, &usage);
    return write_result(now_s() - start, &usage, counted ? &counts : NULL, status);
}
