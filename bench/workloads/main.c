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
    bench_small, bench_live,   bench_server,  bench_pipes,  bench_sharing, bench_mixed, bench_trees,    bench_grow,
    bench_large, bench_medium, bench_threads, bench_zeroed, bench_held,    bench_idle,  bench_start_up, bench_latency,
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
    if (count > 64) bench_die("more than 64 threads at once");
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, fn, args[i]) != 0) bench_die("pthread_create");
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

void bench_figure(struct bench *b, const char *name, double value)
{
    size_t used = strlen(b->extra), room = sizeof b->extra - used;
    int length = snprintf(b->extra + used, room, " %s %.2f", name, value);
    if (length < 0 || (size_t)length >= room) {
        fprintf(stderr, "bench-workloads: no room for the figure %s\n", name);
        exit(1);
    }
}

void bench_wait_idle(const struct bench *b)
{
    time_t whole = (time_t)b->idle_s;
    struct timespec wait = {.tv_sec = whole, .tv_nsec = (long)((b->idle_s - (double)whole) * 1e9)};
    nanosleep(&wait, NULL);
}

/* From smaps_rollup: the counters behind other files lag by some pages for each CPU. */
long bench_rss_kib(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;
    if (file == NULL) return -1;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Rss: %ld", &kib) == 1) break;
    fclose(file);
    return kib;
}

static const struct workload *find(const char *name)
{
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct workload *w = families[f]; w->name != NULL; w++)
            if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

static int list(void)
{
    static const char *const kinds[] = {"usual", "on-demand", "idles", "latency"};
    for (size_t f = 0; f < FAMILIES; f++)
        for (const struct workload *w = families[f]; w->name != NULL; w++)
            printf("%-16s %4d %-10s %s\n", w->name, w->threads, kinds[w->kind], w->text);
    return 0;
}

/* What the allocator itself says of its version, where it has a call for that; otherwise nothing. */
static void print_version(void)
{
    union {
        void *symbol;
        int (*mimalloc)(void);
        int (*jemalloc)(const char *, void *, size_t *, void *, size_t);
        const char *(*tcmalloc)(int *, int *, const char **);
        const char *(*freehold)(void);
    } call;
    const char *text = NULL, *patch = NULL;
    size_t size = sizeof text;
    int major, minor;
    if ((call.symbol = dlsym(RTLD_DEFAULT, "fh_version")) != NULL) {
        puts(call.freehold());
    } else if ((call.symbol = dlsym(RTLD_DEFAULT, "mi_version")) != NULL) {
        printf("mi_version %d\n", call.mimalloc()); /* how its digits are to be read has changed between versions */
    } else if ((call.symbol = dlsym(RTLD_DEFAULT, "mallctl")) != NULL) {
        if (call.jemalloc("version", &text, &size, NULL, 0) == 0) puts(text);
    } else if ((call.symbol = dlsym(RTLD_DEFAULT, "tc_version")) != NULL) {
        puts(call.tcmalloc(&major, &minor, &patch));
    }
}

static int which(void)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "malloc");
    if (symbol == NULL || dladdr(symbol, &info) == 0) return 1;
    puts(info.dli_fname);
    print_version();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "empty") == 0) return 0; /* what `start-up` starts: before anything that costs */
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return list();
    if (argc == 2 && strcmp(argv[1], "--which") == 0) return which();
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
    if (b.operations == 0) b.operations = 1;
    printf("operations %llu cpu_ns %llu wall_ns %llu ns_per_operation %.2f rss_end_kib %ld%s\n",
           (unsigned long long)b.operations, (unsigned long long)b.cpu_ns, (unsigned long long)b.wall_ns,
           (double)b.cpu_ns / (double)b.operations, bench_rss_kib(), b.extra);
    return 0;
}
