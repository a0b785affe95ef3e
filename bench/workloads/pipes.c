/*
 * pipes.c - producers and consumers: blocks travel in batches through a queue, and who frees them is not who made them.
 * Threads hand over by mutex and condition, never by spinning, so that CPU time is the allocator's and not the
 * waiting's. An operation is one malloc and one free.
 */
#include "bench.h"

#include <pthread.h>

enum { BATCH = 256, QUEUE = 16 };

/* Batches of blocks on their way from producers to consumers. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void *block[QUEUE][BATCH];
    int first, count;
} queue = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER, .not_full = PTHREAD_COND_INITIALIZER};

static void queue_put(void **batch)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE) pthread_cond_wait(&queue.not_full, &queue.lock);
    memcpy(queue.block[(queue.first + queue.count++) % QUEUE], batch, sizeof queue.block[0]);
    pthread_cond_signal(&queue.not_empty);
    pthread_mutex_unlock(&queue.lock);
}

static void queue_take(void **batch)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0) pthread_cond_wait(&queue.not_empty, &queue.lock);
    memcpy(batch, queue.block[queue.first], sizeof queue.block[0]);
    queue.first = (queue.first + 1) % QUEUE;
    queue.count--;
    pthread_cond_signal(&queue.not_full);
    pthread_mutex_unlock(&queue.lock);
}

static void make_batch(void **batch, uint64_t *random)
{
    for (int k = 0; k < BATCH; k++) batch[k] = bench_malloc(16 + (size_t)(bench_random(random) >> 56));
}

static void free_batch(void **batch)
{
    for (int k = 0; k < BATCH; k++) bench_free(batch[k]);
}

static void *produce(void *arg)
{
    uint64_t batches = *(uint64_t *)arg, random = BENCH_SEED;
    void *batch[BATCH];
    for (uint64_t i = 0; i < batches; i++) {
        make_batch(batch, &random);
        queue_put(batch);
    }
    return NULL;
}

static void *consume(void *arg)
{
    uint64_t batches = *(uint64_t *)arg;
    void *batch[BATCH];
    for (uint64_t i = 0; i < batches; i++) {
        queue_take(batch);
        free_batch(batch);
    }
    return NULL;
}

/* `producers` + `consumers` threads; each side shares 12,000 batches evenly. */
static void run_pipe(struct bench *b, unsigned producers, unsigned consumers)
{
    pthread_t threads[8];
    uint64_t shares = bench_scaled(b, 12000 / (producers * consumers));
    uint64_t made = shares * consumers, freed = shares * producers;
    bench_start(b);
    for (unsigned i = 0; i < producers + consumers; i++)
        if (pthread_create(&threads[i], NULL, i < producers ? produce : consume, i < producers ? &made : &freed) != 0)
            bench_die("pthread_create");
    for (unsigned i = 0; i < producers + consumers; i++) pthread_join(threads[i], NULL);
    bench_stop(b, shares * producers * consumers * BATCH);
}

static void prod_cons(struct bench *b) { run_pipe(b, 1, 1); }

static void fan_out(struct bench *b) { run_pipe(b, 1, 3); }

static void fan_in(struct bench *b) { run_pipe(b, 3, 1); }

/* Everybody does both: puts a batch of its own, frees one that is probably somebody else's. */
static void *exchange(void *arg)
{
    static _Atomic uint64_t seeds = BENCH_SEED;
    uint64_t batches = *(uint64_t *)arg, random = ++seeds;
    void *batch[BATCH];
    for (uint64_t i = 0; i < batches; i++) {
        make_batch(batch, &random);
        queue_put(batch);
        queue_take(batch);
        free_batch(batch);
    }
    return NULL;
}

static void exchange4(struct bench *b)
{
    uint64_t batches = bench_scaled(b, 8000);
    bench_start(b);
    bench_in_threads(4, exchange, (void *[]){&batches, &batches, &batches, &batches});
    bench_stop(b, batches * BATCH * 4);
}

const struct workload bench_pipes[] = {
    {"prod-cons", prod_cons, 2, "one thread allocates 16 to 271 bytes, another frees, in batches of 256", BENCH_USUAL},
    {"fan-out", fan_out, 4, "the same, one producer, three consumers", BENCH_USUAL},
    {"fan-in", fan_in, 4, "the same, three producers, one consumer", BENCH_USUAL},
    {"exchange-4t", exchange4, 4, "four threads allocate batches and free each other's", BENCH_USUAL},
    {0},
};
