/*
 * bench.h - what every benchmark workload shares: the table entry, the clock, random numbers, and allocation wrappers
 * that the compiler cannot see through.
 *
 * A workload is a function that does a fixed amount of work, the same with every allocator and in every run (random
 * numbers are seeded by constants), and says how many malloc+free pairs, or comparable operations, it timed. Time and
 * memory of the process as a whole are measured from outside by bench-launch.
 */
#ifndef FREEHOLD_BENCH_H
#define FREEHOLD_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    double scale;        /* 1 is the normal amount of work */
    double idle_s;       /* how long the idle workloads wait */
    uint64_t operations; /* set by bench_stop */
    uint64_t cpu_ns;     /* CPU time of the process between bench_start and bench_stop */
    uint64_t wall_ns;
    char extra[512];     /* further figures, " NAME NUMBER" each: bench_figure */
};

typedef void bench_fn(struct bench *b);

enum bench_kind {
    BENCH_USUAL,
    BENCH_ON_DEMAND, /* needs much time or memory: runs only when asked for by name */
    BENCH_IDLES,     /* ends with bench_idle */
    BENCH_LATENCY,   /* times every call; its own time is mostly the clock's */
};

struct workload {
    const char *name;
    bench_fn *run;
    int threads;      /* that run at the same time, besides the main thread when that only waits */
    const char *text; /* one line for --list */
    enum bench_kind kind;
};

/* One table for each family; the last entry has no name. */
extern const struct workload bench_small[];
extern const struct workload bench_live[];
extern const struct workload bench_server[];
extern const struct workload bench_pipes[];
extern const struct workload bench_sharing[];
extern const struct workload bench_mixed[];
extern const struct workload bench_trees[];
extern const struct workload bench_grow[];
extern const struct workload bench_large[];
extern const struct workload bench_medium[];
extern const struct workload bench_threads[];
extern const struct workload bench_zeroed[];
extern const struct workload bench_held[];
extern const struct workload bench_idle[];
extern const struct workload bench_start_up[];
extern const struct workload bench_latency[];

void bench_start(struct bench *b);
void bench_stop(struct bench *b, uint64_t operations);

/* One more figure for the result line. */
void bench_figure(struct bench *b, const char *name, double value);

/* Resident set of this process in KiB: exact, unlike the kernel's running counters. */
long bench_rss_kib(void);

/* Does nothing for as long as the run's options say. */
void bench_wait_idle(const struct bench *b);

_Noreturn void bench_die(const char *what);

/* Runs fn(arg[i]) in `count` threads at the same time and waits for all of them. */
void bench_in_threads(int count, void *(*fn)(void *), void **args);

/* `count` scaled, but at least 1. */
static inline uint64_t bench_scaled(const struct bench *b, uint64_t count)
{
    double scaled = (double)count * b->scale;
    return scaled < 1 ? 1 : (uint64_t)scaled;
}

/* The compiler must take the pointer for used and changed, and memory for read and written. */
static inline void *bench_opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

/* malloc whose block counts as written: its first word is. `size` is at least 8. */
static inline void *bench_malloc(size_t size)
{
    void *p = bench_opaque(malloc(size));
    if (__builtin_expect(p == NULL, 0))
        bench_die("malloc");
    *(volatile uint64_t *)p = size;
    return p;
}

/* Table of `count` pointers, all NULL. */
static inline void **bench_table(size_t count)
{
    void **table = calloc(count, sizeof *table);
    if (table == NULL)
        bench_die("calloc");
    return table;
}

static inline void bench_free(void *p)
{
    free(bench_opaque(p));
}

/* xorshift64*: cheap beside a malloc, and the same everywhere. */
static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

/* A number below `limit` (limit < 2^32) without a division. */
static inline uint32_t bench_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)(((bench_random(state) >> 32) * limit) >> 32);
}

/* Writes one byte to each page of a block, as a program does that fills it. */
static inline void bench_touch_pages(void *p, size_t size)
{
    for (size_t at = 0; at < size; at += 4096)
        ((volatile char *)p)[at] = 1;
}

#define BENCH_SEED 0x9e3779b97f4a7c15ull

#endif /* FREEHOLD_BENCH_H */
