/*
 * idle.c - heaps of which little stays alive when the process, or a thousand threads, stop doing anything. Look at the
 * resident set at the end: it is read after as many seconds of doing nothing as the run's options say.
 * `before_idle_kib` is what it was when the work was done.
 */
#include "bench.h"

#include <pthread.h>

/* A million blocks of 16 to 527 bytes, of which one in `one_in` stays. */
static void keep_one_in(struct bench *b, size_t one_in)
{
    size_t count = bench_scaled(b, 1000000);
    uint64_t random = BENCH_SEED;
    void **live = bench_table(count);
    bench_start(b);
    for (size_t i = 0; i < count; i++) {
        size_t size = 16 + bench_below(&random, 512);
        live[i] = bench_malloc(size);
        memset(live[i], 1, size);
    }
    for (size_t i = 0; i < count; i++)
        if (i % one_in != 0) bench_free(live[i]);
    free(live);
    bench_stop(b, count);
    bench_figure(b, "before_idle_kib", (double)bench_rss_kib());
    bench_wait_idle(b);
}

static void idle1000(struct bench *b) { keep_one_in(b, 1000); }

static void pin50(struct bench *b) { keep_one_in(b, 50); }

/* Waves of load of which the second is a tenth of the first: what the first needed is not needed again. */
static void ebb(struct bench *b)
{
    size_t high = bench_scaled(b, 400000), low = high / 10;
    uint64_t random = BENCH_SEED;
    void **live = bench_table(high);
    bench_start(b);
    for (int wave = 0; wave < 12; wave++) {
        size_t count = wave < 2 ? high : low;
        for (size_t i = 0; i < count; i++) {
            size_t size = 16 + bench_below(&random, 1008);
            live[i] = bench_malloc(size);
            memset(live[i], 1, size);
        }
        for (size_t i = 0; i < count; i++) bench_free(live[i]);
    }
    free(live);
    bench_stop(b, 2 * high + 10 * low);
    bench_figure(b, "before_idle_kib", (double)bench_rss_kib());
    bench_wait_idle(b);
}

enum { PARKED = 1000 };

static pthread_barrier_t all_here, begin, work_done, let_go;

/* Works in its own heap on blocks of 16 bytes to 4 KiB, frees all of them, and then waits. */
static void *park(void *arg)
{
    enum { LIVE = 64, ROUNDS = 4000 };
    void *live[LIVE] = {0};
    uint64_t random = BENCH_SEED + (uintptr_t)arg;
    pthread_barrier_wait(&all_here);
    pthread_barrier_wait(&begin);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t r = bench_random(&random);
        size_t at = r % LIVE, base = (size_t)16 << ((r >> 16) & 7);
        bench_free(live[at]);
        live[at] = bench_malloc(base + (size_t)(r >> 32) % base);
    }
    for (int i = 0; i < LIVE; i++) bench_free(live[i]);
    pthread_barrier_wait(&work_done);
    pthread_barrier_wait(&let_go);
    return NULL;
}

static void idle_threads(struct bench *b)
{
    static pthread_t threads[PARKED];
    pthread_attr_t small_stack;
    if (pthread_attr_init(&small_stack) != 0 || pthread_attr_setstacksize(&small_stack, 128u << 10) != 0 ||
        pthread_barrier_init(&all_here, NULL, PARKED + 1) != 0 || pthread_barrier_init(&begin, NULL, PARKED + 1) != 0 ||
        pthread_barrier_init(&work_done, NULL, PARKED + 1) != 0 || pthread_barrier_init(&let_go, NULL, PARKED + 1) != 0)
        bench_die("thread set-up");
    for (uintptr_t i = 0; i < PARKED; i++)
        if (pthread_create(&threads[i], &small_stack, park, (void *)i) != 0) bench_die("pthread_create");
    pthread_barrier_wait(&all_here);
    long without = bench_rss_kib(); /* with the stacks, and what the allocator has for a thread that never asked */
    bench_start(b);
    pthread_barrier_wait(&begin);
    pthread_barrier_wait(&work_done);
    bench_stop(b, (uint64_t)PARKED * 4000);
    bench_figure(b, "before_idle_kib", (double)bench_rss_kib());
    bench_wait_idle(b);
    bench_figure(b, "idle_thread_kib", (double)(bench_rss_kib() - without) / PARKED);
    pthread_barrier_wait(&let_go);
    for (int i = 0; i < PARKED; i++) pthread_join(threads[i], NULL);
}

const struct workload bench_idle[] = {
    {"idle-1000", idle1000, 1, "1 M blocks of 16 to 527 bytes, 1 in 1,000 kept, then idle", BENCH_IDLES},
    {"pin-50", pin50, 1, "the same with 1 in 50 kept", BENCH_IDLES},
    {"ebb", ebb, 1, "two waves of 400,000 blocks to 1 KiB, ten of 40,000, then idle", BENCH_IDLES},
    {"idle-threads", idle_threads, PARKED, "1,000 threads that worked and freed all wait; KiB for each", BENCH_IDLES},
    {0},
};
