/*
 * start_up.c - the cost of being there: an empty program is started again and again. The children's time and faults
 * count as this process's own, for whoever waits for it.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static uint64_t time_ns(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000ull +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000ull;
}

static void start_up(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 200);
    char *argv[] = {"bench-workloads", "empty", NULL};
    struct rusage before, after;
    getrusage(RUSAGE_CHILDREN, &before);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        pid_t child;
        int status;
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) != 0) bench_die("posix_spawn");
        if (waitpid(child, &status, 0) != child || status != 0) bench_die("the empty program");
    }
    bench_stop(b, rounds);
    getrusage(RUSAGE_CHILDREN, &after);
    b->cpu_ns = time_ns(&after) - time_ns(&before);
    bench_figure(b, "faults_a_start", (double)(after.ru_minflt - before.ru_minflt) / (double)rounds);
}

const struct workload bench_start_up[] = {
    {"start-up", start_up, 1, "200 starts of an empty program", BENCH_USUAL},
    {0},
};
