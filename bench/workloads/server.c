/*
 * server.c - memory that wanders between threads: random replacement in tables that change hands (after Larson and
 * Krishnan), the same where the threads themselves are born and end, and producers whose blocks others free. Threads
 * hand over by mutex and condition, never by spinning, so that CPU time is the allocator's and not the waiting's.
 */
#include "bench.h"

#include <pthread.h>

enum { TABLE = 1000, TABLES = 16 };

struct table {
    void *block[TABLE];
    uint64_t random;
};

/* Tables that no thread works on at the moment. */
static struct {
    pthread_mutex_t lock;
    struct table *waiting[TABLES];
    int first, count;
} board = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void board_put(struct table *t)
{
    pthread_mutex_lock(&board.lock);
    board.waiting[(board.first + board.count++) % TABLES] = t;
    pthread_mutex_unlock(&board.lock);
}

/* Never empty: there are more tables than threads. */
static struct table *board_take(void)
{
    pthread_mutex_lock(&board.lock);
    struct table *t = board.waiting[board.first];
    board.first = (board.first + 1) % TABLES;
    board.count--;
    pthread_mutex_unlock(&board.lock);
    return t;
}

static void board_fill(void)
{
    static struct table tables[TABLES];
    for (int i = 0; i < TABLES; i++) {
        tables[i].random = BENCH_SEED + (uint64_t)i;
        for (int k = 0; k < TABLE; k++)
            tables[i].block[k] = bench_malloc(8 + bench_below(&tables[i].random, 505));
        board_put(&tables[i]);
    }
}

static void board_empty(void)
{
    while (board.count > 0) {
        struct table *t = board_take();
        for (int k = 0; k < TABLE; k++)
            bench_free(t->block[k]);
    }
}

static void replace(struct table *t, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&t->random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * TABLE) >> 32);
        bench_free(t->block[at]);
        t->block[at] = bench_malloc(8 + (size_t)((r >> 32) * 505 >> 32));
    }
}

/* One thread: 5,000 replacements in a table, then another table, which another thread may have filled. */
static void *serve(void *arg)
{
    uint64_t turns = *(uint64_t *)arg;
    for (uint64_t i = 0; i < turns; i++) {
        struct table *t = board_take();
        replace(t, 5000);
        board_put(t);
    }
    return NULL;
}

static void larson(struct bench *b, int threads, uint64_t turns)
{
    void *args[8];
    turns = bench_scaled(b, turns / (unsigned)threads);
    for (int i = 0; i < threads; i++)
        args[i] = &turns;
    board_fill();
    bench_start(b);
    bench_in_threads(threads, serve, args);
    bench_stop(b, turns * 5000 * (unsigned)threads);
    board_empty();
}

static void larson2(struct bench *b)
{
    larson(b, 2, 2000);
}

static void larson8(struct bench *b)
{
    larson(b, 8, 2000);
}

/* Each turn is a thread of its own: what it allocated outlives it. Two run at a time. */
static void larson_births(struct bench *b)
{
    uint64_t generations = bench_scaled(b, 800), one = 1;
    board_fill();
    bench_start(b);
    for (uint64_t i = 0; i < generations; i++)
        bench_in_threads(2, serve, (void *[]){&one, &one});
    bench_stop(b, generations * 2 * 5000);
    board_empty();
}

enum { BATCH = 256, QUEUE = 16 };

/* Batches of blocks on their way from producers to consumers. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    void *block[QUEUE][BATCH];
    int first, count;
} queue = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER, .not_full = PTHREAD_COND_INITIALIZER
};

static void queue_put(void **batch)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE)
        pthread_cond_wait(&queue.not_full, &queue.lock);
    memcpy(queue.block[(queue.first + queue.count++) % QUEUE], batch, sizeof queue.block[0]);
    pthread_cond_signal(&queue.not_empty);
    pthread_mutex_unlock(&queue.lock);
}

static void queue_take(void **batch)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0)
        pthread_cond_wait(&queue.not_empty, &queue.lock);
    memcpy(batch, queue.block[queue.first], sizeof queue.block[0]);
    queue.first = (queue.first + 1) % QUEUE;
    queue.count--;
    pthread_cond_signal(&queue.not_full);
    pthread_mutex_unlock(&queue.lock);
}

static void make_batch(void **batch, uint64_t *random)
{
    for (int k = 0; k < BATCH; k++)
        batch[k] = bench_malloc(16 + (size_t)(bench_random(random) >> 56));
}

static void free_batch(void **batch)
{
    for (int k = 0; k < BATCH; k++)
        bench_free(batch[k]);
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

static void producer_consumer(struct bench *b)
{
    uint64_t batches = bench_scaled(b, 15000);
    struct { void *(*fn)(void *); } role[2] = {{produce}, {consume}};
    pthread_t threads[2];
    bench_start(b);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, role[i].fn, &batches) != 0)
            bench_die("pthread_create");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    bench_stop(b, batches * BATCH);
}

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

const struct workload bench_server[] = {
    {"larson-2t", larson2, 2, "random replacement, 8 to 512 bytes, in tables that change hands"},
    {"larson-8t", larson8, 8, "the same with 8 threads"},
    {"larson-births", larson_births, 2, "the same; every turn is a new thread"},
    {"prod-cons", producer_consumer, 2, "one thread allocates 16 to 271 bytes, the other frees, in batches of 256"},
    {"exchange-4t", exchange4, 4, "four threads allocate batches and free each other's"},
    {0},
};
