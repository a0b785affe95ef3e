/*
 * main.c - the program bench-workloads: `bench-workloads NAME [SCALE]` runs one workload and prints one line of
 * figures, `--list` names them all, `--which` says which object's malloc is in use (so that the runner can refuse a
 * preload that did not happen).
 */
#define _GNU_SOURCE
#include "bench.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static const struct workload *const families[] = {
    bench_small, bench_server, bench_sharing, bench_mixed, bench_trees, bench_grow, bench_large,
    bench_medium, bench_threads, bench_zeroed, bench_held, bench_start_up,
    bench_latency,
};
#define FAMILIES (sizeof families / sizeof families[0])

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void bench_start(struct bench *b)
{
    b->wall_ns = clock_ns(CLOCK_MONOTONIC);
    b->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_stop(struct bench *b, uint64_t operations)
{
    b->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - b->cpu_ns;
    b->wall_ns = clock_ns(CLOCK_MONOTONIC) - b->wall_ns;
    b->operations = operations;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench-workloads: %s failed: %s\n", what, strerror(errno));
    exit(1);
}

void bench_in_threads(int count, void *(*fn)(void *), void **args)
{
    pthread_t threads[64];
    if (count > 64)
        bench_die("more than 64 threads at once");
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, fn, args[i]) != 0)
            bench_die("pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* Exact, unlike the kernel's running counters, which lag by some pages for each CPU. */
static long rss_now_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

static const struct workload *find(const char *name)
{
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct workload *w = families[f]; w->name != NULL; w++)
            if (strcmp(w->name, name) == 0)
                return w;
    return NULL;
}

static int list(void)
{
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct workload *w = families[f]; w->name != NULL; w++)
            printf("%-16s %3d  %s\n", w->name, w->threads, w->text);
    return 0;
}

static int which(void)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "malloc");
    if (symbol == NULL || dladdr(symbol, &info) == 0)
        return 1;
    puts(info.dli_fname);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "empty") == 0)
        return 0; /* what `startup` starts: before anything that costs */
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    if (argc == 2 && strcmp(argv[1], "--which") == 0)
        return which();
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: bench-workloads NAME [SCALE] | --list | --which\n");
        return 2;
    }
    const struct workload *w = find(argv[1]);
    if (w == NULL) {
        fprintf(stderr, "bench-workloads: no workload is called %s (see --list)\n", argv[1]);
        return 2;
    }
    const char *idle = getenv("BENCH_IDLE_S");
    struct bench b = {.scale = argc == 3 ? atof(argv[2]) : 1, .idle_s = idle != NULL ? atof(idle) : 2};
    if (!(b.scale > 0)) {
        fprintf(stderr, "bench-workloads: scale %s is not a positive number\n", argv[2]);
        return 2;
    }
    w->run(&b);
    if (b.operations == 0)
        b.operations = 1;
    printf("operations %llu cpu_ns %llu wall_ns %llu ns_per_operation %.2f rss_end_kib %ld%s\n",
           (unsigned long long)b.operations, (unsigned long long)b.cpu_ns, (unsigned long long)b.wall_ns,
           (double)b.cpu_ns / (double)b.operations, rss_now_kib(), b.extra);
    return 0;
}
