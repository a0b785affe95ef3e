/*
 * sharing.c - false sharing, after the Hoard paper's cache-thrash and cache-scratch: each thread writes to a small
 * block of its own many times. An allocator that gives two threads neighbours in one cache line makes them slow.
 * Actively: the blocks were asked for by the threads. Passively: the main thread made them and the threads freed them.
 */
#include "bench.h"

enum { THREADS = 2, WRITES = 2000 };

struct sharing_job {
    void *handed_over; /* freed first, or NULL */
    uint64_t rounds;
};

static void *write_often(void *arg)
{
    struct sharing_job *job = arg;
    if (job->handed_over != NULL) bench_free(job->handed_over);
    for (uint64_t i = 0; i < job->rounds; i++) {
        volatile uint64_t *block = bench_malloc(sizeof *block);
        for (int k = 0; k < WRITES; k++) *block += 1;
        bench_free((void *)block);
    }
    return NULL;
}

static void run_sharing(struct bench *b, int passive)
{
    struct sharing_job job[THREADS];
    void *args[THREADS];
    for (int i = 0; i < THREADS; i++) {
        job[i].handed_over = passive ? bench_malloc(8) : NULL;
        job[i].rounds = bench_scaled(b, 200000);
        args[i] = &job[i];
    }
    bench_start(b);
    bench_in_threads(THREADS, write_often, args);
    bench_stop(b, job[0].rounds * THREADS);
}

static void active(struct bench *b) { run_sharing(b, 0); }

static void passive(struct bench *b) { run_sharing(b, 1); }

const struct workload bench_sharing[] = {
    {"share-active", active, THREADS, "two threads write to 8-byte blocks of their own", BENCH_USUAL},
    {"share-passive", passive, THREADS, "the same after freeing blocks that the main thread made", BENCH_USUAL},
    {0},
};
