/*
 * large.c - blocks at and above the mmap threshold: one buffer size that is freed and asked for again at once, sizes
 * that never come again, and a changing set of live buffers. Each operation is one malloc and one free.
 */
#include "bench.h"

static void reuse(struct bench *b, size_t size, uint64_t rounds)
{
    rounds = bench_scaled(b, rounds);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        void *p = bench_malloc(size);
        bench_touch_pages(p, size);
        bench_free(p);
    }
    bench_stop(b, rounds);
}

static void reuse256k(struct bench *b) { reuse(b, 256u << 10, 100000); }

static void reuse4m(struct bench *b) { reuse(b, 4u << 20, 4000); }

/* Every size is larger than all before: nothing that was freed fits. */
static void once(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 2000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        size_t size = (128u << 10) + i * 4096;
        void *p = bench_malloc(size);
        bench_touch_pages(p, size / 8);
        bench_free(p);
    }
    bench_stop(b, rounds);
}

struct live_job {
    uint64_t rounds;
    uint64_t seed;
};

static void *churn_live(void *arg)
{
    enum { LIVE = 32 };
    const struct live_job *job = arg;
    void *block[LIVE] = {0};
    uint64_t random = job->seed;
    for (uint64_t i = 0; i < job->rounds; i++) {
        size_t at = bench_below(&random, LIVE);
        size_t size = ((size_t)128 << 10 << bench_below(&random, 4)) + bench_below(&random, 128u << 10);
        bench_free(block[at]);
        block[at] = bench_malloc(size);
        bench_touch_pages(block[at], size);
    }
    for (size_t i = 0; i < LIVE; i++) bench_free(block[i]);
    return NULL;
}

static void live(struct bench *b)
{
    struct live_job job = {bench_scaled(b, 10000), BENCH_SEED};
    bench_start(b);
    churn_live(&job);
    bench_stop(b, job.rounds);
}

static void live2(struct bench *b)
{
    struct live_job one = {bench_scaled(b, 5000), BENCH_SEED}, two = {one.rounds, ~BENCH_SEED};
    bench_start(b);
    bench_in_threads(2, churn_live, (void *[]){&one, &two});
    bench_stop(b, one.rounds + two.rounds);
}

const struct workload bench_large[] = {
    {"reuse-256k", reuse256k, 1, "malloc(256 KiB), touch, free, again", BENCH_USUAL},
    {"reuse-4m", reuse4m, 1, "malloc(4 MiB), touch, free, again", BENCH_USUAL},
    {"large-once", once, 1, "each buffer a page larger than the last, an eighth touched", BENCH_USUAL},
    {"large-live", live, 1, "32 live buffers of 128 KiB to 2 MiB, replaced at random, touched", BENCH_USUAL},
    {"large-live-2t", live2, 2, "the same in two threads", BENCH_USUAL},
    {0},
};
