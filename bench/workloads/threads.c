/*
 * threads.c - threads born and ended by the thousand, and many threads alive at once with a small heap each.
 */
#include "bench.h"

#include <pthread.h>

static void small_work(int blocks, uint64_t seed)
{
    void *live[256];
    for (int i = 0; i < blocks; i++) live[i] = bench_malloc(16 + bench_below(&seed, 256));
    for (int i = 0; i < blocks; i++) bench_free(live[i]);
}

static void *short_life(void *arg)
{
    small_work(64, BENCH_SEED + (uintptr_t)arg);
    return NULL;
}

static void births(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 10000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) bench_in_threads(2, short_life, (void *[]){NULL, (void *)1});
    bench_stop(b, rounds * 2);
}

static pthread_barrier_t all_alive, begin, work_done;
static uint64_t turns;

/* Holds a little, keeps working on a little, and lives until all the others have come so far. */
static void *small_heap(void *arg)
{
    uint64_t seed = BENCH_SEED + (uintptr_t)arg;
    void *kept[100];
    pthread_barrier_wait(&all_alive);
    pthread_barrier_wait(&begin);
    for (int i = 0; i < 100; i++) kept[i] = bench_malloc(16 + bench_below(&seed, 512));
    for (uint64_t i = 0; i < turns; i++) small_work(200, seed + i);
    pthread_barrier_wait(&work_done);
    for (int i = 0; i < 100; i++) bench_free(kept[i]);
    return NULL;
}

/* The same number of operations whatever the number of threads; ns/op has no births in it, the process's time has. */
static void heaps(struct bench *b, unsigned threads)
{
    pthread_t *thread = malloc(threads * sizeof *thread);
    pthread_attr_t small_stack;
    turns = bench_scaled(b, 49152 / threads);
    if (thread == NULL || pthread_attr_init(&small_stack) != 0 ||
        pthread_attr_setstacksize(&small_stack, 128u << 10) != 0 ||
        pthread_barrier_init(&all_alive, NULL, threads + 1) != 0 ||
        pthread_barrier_init(&begin, NULL, threads + 1) != 0 ||
        pthread_barrier_init(&work_done, NULL, threads + 1) != 0)
        bench_die("thread set-up");
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&thread[i], &small_stack, small_heap, (void *)(uintptr_t)i) != 0)
            bench_die("pthread_create");
    pthread_barrier_wait(&all_alive);
    bench_start(b);
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&work_done);
    bench_stop(b, threads * (100 + 200 * turns));
    for (unsigned i = 0; i < threads; i++) pthread_join(thread[i], NULL);
    free(thread);
}

#define HEAPS(threads) \
    static void heaps_##threads(struct bench *b) { heaps(b, threads); }

HEAPS(1)
HEAPS(4)
HEAPS(16)
HEAPS(64)
HEAPS(256)
HEAPS(1024)
HEAPS(4096)

const struct workload bench_threads[] = {
    {"births", births, 2, "20,000 threads, two at a time, with 64 small blocks each", BENCH_USUAL},
    {"heaps-1", heaps_1, 1, "a thread with a heap of 300 small blocks", BENCH_USUAL},
    {"heaps-4", heaps_4, 4, "4 threads with such a heap each, alive together", BENCH_USUAL},
    {"heaps-16", heaps_16, 16, "the same with 16 threads", BENCH_USUAL},
    {"heaps-64", heaps_64, 64, "the same with 64 threads", BENCH_USUAL},
    {"heaps-256", heaps_256, 256, "the same with 256 threads", BENCH_USUAL},
    {"heaps-1024", heaps_1024, 1024, "the same with 1,024 threads", BENCH_USUAL},
    {"heaps-4096", heaps_4096, 4096, "the same with 4,096 threads", BENCH_USUAL},
    {0},
};
