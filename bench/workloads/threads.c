/*
 * threads.c - threads born and ended by the thousand, and many threads alive at once with a small heap each.
 */
#include "bench.h"

#include <limits.h>
#include <pthread.h>

static void small_work(int blocks, uint64_t seed)
{
    void *live[256];
    for (int i = 0; i < blocks; i++)
        live[i] = bench_malloc(16 + bench_below(&seed, 256));
    for (int i = 0; i < blocks; i++)
        bench_free(live[i]);
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
    for (uint64_t i = 0; i < rounds; i++)
        bench_in_threads(2, short_life, (void *[]){NULL, (void *)1});
    bench_stop(b, rounds * 2);
}

static pthread_barrier_t all_alive;
static uint64_t turns;

/* Holds a little, keeps working on a little, and lives until all the others have come so far. */
static void *small_heap(void *arg)
{
    uint64_t seed = BENCH_SEED + (uintptr_t)arg;
    void *kept[100];
    for (int i = 0; i < 100; i++)
        kept[i] = bench_malloc(16 + bench_below(&seed, 512));
    for (uint64_t i = 0; i < turns; i++)
        small_work(200, seed + i);
    pthread_barrier_wait(&all_alive);
    for (int i = 0; i < 100; i++)
        bench_free(kept[i]);
    return NULL;
}

static void heaps(struct bench *b, unsigned threads, uint64_t turns_each)
{
    pthread_t *thread = malloc(threads * sizeof *thread);
    pthread_attr_t small_stack;
    turns = bench_scaled(b, turns_each);
    if (thread == NULL || pthread_attr_init(&small_stack) != 0 ||
        pthread_attr_setstacksize(&small_stack, 128u << 10) != 0 ||
        pthread_barrier_init(&all_alive, NULL, threads) != 0)
        bench_die("thread set-up");
    bench_start(b);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&thread[i], &small_stack, small_heap, (void *)(uintptr_t)i) != 0)
            bench_die("pthread_create");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    bench_stop(b, threads * (100 + 200 * turns));
    free(thread);
}

static void heaps64(struct bench *b)
{
    heaps(b, 64, 400);
}

static void heaps1024(struct bench *b)
{
    heaps(b, 1024, 40);
}

static void heaps4096(struct bench *b)
{
    heaps(b, 4096, 5);
}

const struct workload bench_threads[] = {
    {"births", births, 2, "20,000 threads, two at a time, with 64 small blocks each"},
    {"heaps-64", heaps64, 64, "64 threads with a heap of 300 small blocks each, alive together"},
    {"heaps-1024", heaps1024, 1024, "the same with 1,024 threads"},
    {"heaps-4096", heaps4096, 4096, "the same with 4,096 threads"},
    {0},
};
