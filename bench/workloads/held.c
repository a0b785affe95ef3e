/*
 * held.c - what the allocator keeps, and what it gives back too early: the trim thrash, a heap that fills and empties
 * at the trim threshold. Look at its faults. An operation is one malloc and one free.
 */
#include "bench.h"

/* The sizes are the same in every round: so glibc's thread cache holds nothing at the top that would stop a trim. */
static void trim_thrash(struct bench *b)
{
    enum { BLOCKS = 3500 };
    void *live[BLOCKS];
    uint64_t rounds = bench_scaled(b, 4000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        for (int k = 0; k < BLOCKS; k++) live[k] = bench_malloc(32 + (unsigned)k * 37 % 224);
        for (int k = 0; k < BLOCKS; k++) bench_free(live[k]);
    }
    bench_stop(b, rounds * BLOCKS);
}

const struct workload bench_held[] = {
    {"trim-thrash", trim_thrash, 1, "3,500 blocks of 32 to 255 bytes, then free all, 4,000 times", BENCH_USUAL},
    {0},
};
