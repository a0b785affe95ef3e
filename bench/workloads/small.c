/*
 * small.c - single-threaded patterns of small objects, in and out: pairs, stacks, lists. Each operation is one malloc
 * and one free.
 */
#include "bench.h"

/* The best case of every thread cache: the block that was freed last is asked for again. */
static void pair64(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 30000000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) bench_free(bench_malloc(64));
    bench_stop(b, rounds);
}

static void mixed16(struct bench *b)
{
    static const size_t sizes[16] = {24, 64, 16, 128, 40, 200, 32, 96, 256, 8, 80, 48, 160, 112, 56, 240};
    uint64_t rounds = bench_scaled(b, 2000000);
    void *live[16];
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        for (int k = 0; k < 16; k++) live[k] = bench_malloc(sizes[k]);
        for (int k = 15; k >= 0; k--) bench_free(live[k]);
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

enum { SHUFFLED = 50000 };

/* The same list built again and again, but its nodes are freed in an order that has nothing to do with the addresses.
 */
static void list_shuffled(struct bench *b)
{
    static void *live[SHUFFLED];
    static uint32_t order[SHUFFLED];
    uint64_t rounds = bench_scaled(b, 120), random = BENCH_SEED;
    for (uint32_t i = 0; i < SHUFFLED; i++) order[i] = i;
    for (uint32_t i = SHUFFLED - 1; i > 0; i--) {
        uint32_t k = bench_below(&random, i + 1), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        for (uint32_t k = 0; k < SHUFFLED; k++) live[k] = bench_malloc(48);
        for (uint32_t k = 0; k < SHUFFLED; k++) bench_free(live[order[k]]);
    }
    bench_stop(b, rounds * SHUFFLED);
}

const struct workload bench_small[] = {
    {"pair64", pair64, 1, "malloc(64), free, again", BENCH_USUAL},
    {"mixed16", mixed16, 1, "16 mixed sizes (8 to 256 bytes) up, 16 down", BENCH_USUAL},
    {"list200k", list200k, 1, "a list of 200,000 nodes of 32 bytes, built and torn down", BENCH_USUAL},
    {"list-shuffled", list_shuffled, 1, "50,000 blocks of 48 bytes, freed in random order, again", BENCH_USUAL},
    {0},
};
