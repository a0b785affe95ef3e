/*
 * small.c - the five single-threaded patterns of small objects that the fast path is judged by, and the last of them
 * with ever larger heaps. Each operation is one malloc and one free.
 */
#include "bench.h"

/* The best case of every thread cache: the block that was freed last is asked for again. */
static void pair64(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 30000000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++)
        bench_free(bench_malloc(64));
    bench_stop(b, rounds);
}

static void mixed16(struct bench *b)
{
    static const size_t sizes[16] = {24, 64, 16, 128, 40, 200, 32, 96, 256, 8, 80, 48, 160, 112, 56, 240};
    uint64_t rounds = bench_scaled(b, 2000000);
    void *live[16];
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        for (int k = 0; k < 16; k++)
            live[k] = bench_malloc(sizes[k]);
        for (int k = 15; k >= 0; k--)
            bench_free(live[k]);
    }
    bench_stop(b, rounds * 16);
}

struct node {
    struct node *next;
    uint64_t value[3];
};

/* Far more than a thread cache holds goes up, and down again in the same order. */
static void list200k(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 100);
    const uint64_t length = 200000;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        struct node *head = NULL;
        for (uint64_t k = 0; k < length; k++) {
            struct node *n = bench_malloc(sizeof *n);
            n->next = head;
            n->value[0] = k;
            head = n;
        }
        while (head != NULL) {
            struct node *next = head->next;
            bench_free(head);
            head = next;
        }
    }
    bench_stop(b, rounds * length);
}

static void churn(struct bench *b, uint32_t live_count, uint64_t rounds)
{
    uint64_t random = BENCH_SEED;
    void **live = calloc(live_count, sizeof *live);
    if (live == NULL)
        bench_die("calloc");
    for (uint32_t i = 0; i < live_count; i++)
        live[i] = bench_malloc(16 + bench_below(&random, 256));
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * live_count) >> 32);
        bench_free(live[at]);
        live[at] = bench_malloc(16 + (size_t)(r >> 56));
    }
    bench_stop(b, rounds);
    for (uint32_t i = 0; i < live_count; i++)
        bench_free(live[i]);
    free(live);
}

static void churn1k(struct bench *b)
{
    churn(b, 1000, bench_scaled(b, 20000000));
}

static void churn100k(struct bench *b)
{
    churn(b, 100000, bench_scaled(b, 6000000));
}

/* The same at other sizes of the live heap: time per operation should grow with the processor's caches only. */
static void live64m(struct bench *b)
{
    churn(b, 64u * 7000, bench_scaled(b, 2000000));
}

static void live512m(struct bench *b)
{
    churn(b, 512u * 7000, bench_scaled(b, 2000000));
}

const struct workload bench_small[] = {
    {"pair64", pair64, 1, "malloc(64), free, again"},
    {"mixed16", mixed16, 1, "16 mixed sizes (8 to 256 bytes) up, 16 down"},
    {"list200k", list200k, 1, "a list of 200,000 nodes of 32 bytes, built and torn down"},
    {"churn1k", churn1k, 1, "random replacement, 1,000 live, 16 to 271 bytes"},
    {"churn100k", churn100k, 1, "random replacement, 100,000 live, 16 to 271 bytes"},
    {"live-64m", live64m, 1, "the same, 64 MiB live"},
    {"live-512m", live512m, 1, "the same, 512 MiB live"},
    {0},
};
