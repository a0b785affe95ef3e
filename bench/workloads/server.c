/*
 * server.c - a server after Larson and Krishnan: random replacement in tables that change hands, so that most blocks
 * are freed by another thread than the one that made them; and the same where the threads themselves are born and end.
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
        for (int k = 0; k < TABLE; k++) tables[i].block[k] = bench_malloc(8 + bench_below(&tables[i].random, 505));
        board_put(&tables[i]);
    }
}

static void board_empty(void)
{
    while (board.count > 0) {
        struct table *t = board_take();
        for (int k = 0; k < TABLE; k++) bench_free(t->block[k]);
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
    for (int i = 0; i < threads; i++) args[i] = &turns;
    board_fill();
    bench_start(b);
    bench_in_threads(threads, serve, args);
    bench_stop(b, turns * 5000 * (unsigned)threads);
    board_empty();
}

static void larson2(struct bench *b) { larson(b, 2, 2000); }

static void larson8(struct bench *b) { larson(b, 8, 2000); }

/* Each turn is a thread of its own: what it allocated outlives it. Two run at a time. */
static void larson_births(struct bench *b)
{
    uint64_t generations = bench_scaled(b, 800), one = 1;
    board_fill();
    bench_start(b);
    for (uint64_t i = 0; i < generations; i++) bench_in_threads(2, serve, (void *[]){&one, &one});
    bench_stop(b, generations * 2 * 5000);
    board_empty();
}

const struct workload bench_server[] = {
    {"larson-2t", larson2, 2, "random replacement, 8 to 512 bytes, in tables that change hands", BENCH_USUAL},
    {"larson-8t", larson8, 8, "the same with 8 threads", BENCH_USUAL},
    {"larson-births", larson_births, 2, "the same; every turn is a new thread", BENCH_USUAL},
    {0},
};
