/*
 * medium.c - blocks of 1 to 128 KiB, replaced at random: in one thread, in two, and in two that free each other's.
 * Sizes are spread evenly over their logarithm, as those of I/O buffers and tables are; the first kibibyte is written.
 */
#include "bench.h"

#include <pthread.h>

enum { LIVE = 400 };

struct medium_job {
    uint64_t rounds;
    uint64_t seed;
    int shared; /* work on the common table */
};

static pthread_mutex_t table_lock[LIVE];
static void *table[LIVE];

static size_t medium_size(uint64_t r)
{
    size_t base = (size_t)1024 << ((r & 0xffff) * 7 >> 16);
    size_t size = base + (size_t)((r >> 32) * base >> 32);
    return size < 131071 ? size : 131071;
}

static void *medium_block(uint64_t r)
{
    void *p = bench_malloc(medium_size(r));
    memset(p, 1, 1024);
    return p;
}

static void *churn_own(const struct medium_job *job)
{
    uint64_t random = job->seed;
    void **live = bench_table(LIVE);
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        size_t at = ((r >> 16) & 0xffff) * LIVE >> 16;
        bench_free(live[at]);
        live[at] = medium_block(r);
    }
    for (int i = 0; i < LIVE; i++) bench_free(live[i]);
    free(live);
    return NULL;
}

/* A slot's lock is held for the exchange of pointers alone, so it is seldom contended. */
static void *churn_shared(const struct medium_job *job)
{
    uint64_t random = job->seed;
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        size_t at = ((r >> 16) & 0xffff) * LIVE >> 16;
        void *mine = medium_block(r);
        pthread_mutex_lock(&table_lock[at]);
        void *old = table[at];
        table[at] = mine;
        pthread_mutex_unlock(&table_lock[at]);
        bench_free(old);
    }
    return NULL;
}

static void *churn(void *arg)
{
    const struct medium_job *job = arg;
    return job->shared ? churn_shared(job) : churn_own(job);
}

static void medium1(struct bench *b)
{
    struct medium_job job = {bench_scaled(b, 1000000), BENCH_SEED, 0};
    bench_start(b);
    churn(&job);
    bench_stop(b, job.rounds);
}

static void run_two(struct bench *b, int shared)
{
    struct medium_job one = {bench_scaled(b, 500000), BENCH_SEED, shared};
    struct medium_job two = {one.rounds, ~BENCH_SEED, shared};
    for (int i = 0; i < LIVE; i++) pthread_mutex_init(&table_lock[i], NULL);
    bench_start(b);
    bench_in_threads(2, churn, (void *[]){&one, &two});
    bench_stop(b, one.rounds + two.rounds);
}

static void medium2(struct bench *b) { run_two(b, 0); }

static void medium_shared(struct bench *b) { run_two(b, 1); }

const struct workload bench_medium[] = {
    {"medium", medium1, 1, "random replacement, 400 live, 1 to 128 KiB", BENCH_USUAL},
    {"medium-2t", medium2, 2, "the same in two threads", BENCH_USUAL},
    {"medium-shared", medium_shared, 2, "two threads replace, and free, each other's", BENCH_USUAL},
    {0},
};
