/*
 * held.c - what the allocator keeps: the trim thrash (a heap that fills and empties at the trim threshold), and heaps
 * of which little stays alive while the process goes idle. Look at faults for the first, at RSS at the end for the
 * others.
 */
#include "bench.h"

#include <time.h>

/* The sizes are the same in every round: so glibc's thread cache holds nothing at the top that would stop a trim. */
static void trim_thrash(struct bench *b)
{
    enum { BLOCKS = 3500 };
    void *live[BLOCKS];
    uint64_t rounds = bench_scaled(b, 4000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        for (int k = 0; k < BLOCKS; k++)
            live[k] = bench_malloc(32 + (unsigned)k * 37 % 224);
        for (int k = 0; k < BLOCKS; k++)
            bench_free(live[k]);
    }
    bench_stop(b, rounds * BLOCKS);
}

/* A million blocks of 16 to 527 bytes, of which one in `one_in` stays; then the process does nothing for a while. */
static void idle(struct bench *b, size_t one_in)
{
    size_t count = bench_scaled(b, 1000000);
    uint64_t random = BENCH_SEED;
    void **live = malloc(count * sizeof *live);
    if (live == NULL)
        bench_die("malloc");
    bench_start(b);
    for (size_t i = 0; i < count; i++) {
        size_t size = 16 + bench_below(&random, 512);
        live[i] = bench_malloc(size);
        memset(live[i], 1, size);
    }
    for (size_t i = 0; i < count; i++)
        if (i % one_in != 0)
            bench_free(live[i]);
    free(live);
    bench_stop(b, count);
    struct timespec wait = {.tv_sec = (time_t)b->idle_s, .tv_nsec = (long)((b->idle_s - (long)b->idle_s) * 1e9)};
    nanosleep(&wait, NULL);
}

static void idle1000(struct bench *b)
{
    idle(b, 1000);
}

static void idle50(struct bench *b)
{
    idle(b, 50);
}

const struct workload bench_held[] = {
    {"trim-thrash", trim_thrash, 1, "3,500 blocks of 32 to 255 bytes, then free all, 4,000 times"},
    {"idle-1000", idle1000, 1, "1 M blocks, 1 in 1,000 kept, then idle (BENCH_IDLE_S seconds)"},
    {"pin-50", idle50, 1, "the same with 1 in 50 kept"},
    {0},
};
