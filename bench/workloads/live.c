/*
 * live.c - random replacement in one thread: a block is freed, and one of another size takes its place. First with
 * 1,000 and 100,000 blocks, then the same number of operations with ever more live memory, where time per operation
 * should grow with the processor's caches only. Each operation is one malloc and one free.
 */
#include "bench.h"

static void churn(struct bench *b, uint32_t live_count, uint64_t rounds)
{
    uint64_t random = BENCH_SEED;
    void **live = bench_table(live_count);
    for (uint32_t i = 0; i < live_count; i++) live[i] = bench_malloc(16 + bench_below(&random, 256));
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * live_count) >> 32);
        bench_free(live[at]);
        live[at] = bench_malloc(16 + (size_t)(r >> 56));
    }
    bench_stop(b, rounds);
    for (uint32_t i = 0; i < live_count; i++) bench_free(live[i]);
    free(live);
}

static void churn1k(struct bench *b) { churn(b, 1000, bench_scaled(b, 15000000)); }

static void churn100k(struct bench *b) { churn(b, 100000, bench_scaled(b, 6000000)); }

/* Blocks of 143 bytes on average, with their pointer: 7,000 are about a mebibyte. */
static void live_mib(struct bench *b, uint32_t mib) { churn(b, mib * 7000, bench_scaled(b, 4000000)); }

#define LIVE(mib) \
    static void live_##mib(struct bench *b) { live_mib(b, mib); }

LIVE(1)
LIVE(8)
LIVE(64)
LIVE(512)
LIVE(2048)
LIVE(8192)

const struct workload bench_live[] = {
    {"churn1k", churn1k, 1, "random replacement, 1,000 live, 16 to 271 bytes", BENCH_USUAL},
    {"churn100k", churn100k, 1, "random replacement, 100,000 live, 16 to 271 bytes", BENCH_USUAL},
    {"live-1m", live_1, 1, "the same, about 1 MiB live", BENCH_USUAL},
    {"live-8m", live_8, 1, "the same, 8 MiB", BENCH_USUAL},
    {"live-64m", live_64, 1, "the same, 64 MiB", BENCH_USUAL},
    {"live-512m", live_512, 1, "the same, 512 MiB", BENCH_USUAL},
    {"live-2g", live_2048, 1, "the same, 2 GiB", BENCH_ON_DEMAND},
    {"live-8g", live_8192, 1, "the same, 8 GiB", BENCH_ON_DEMAND},
    {0},
};
