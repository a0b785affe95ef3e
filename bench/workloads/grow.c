/*
 * grow.c - realloc: strings that grow by a few bytes at a time, vectors that double, buffers that shrink to what they
 * turned out to need, and one large buffer that grows by a mebibyte at a time. An operation is one realloc.
 */
#include "bench.h"

static void *bench_realloc(void *p, size_t size)
{
    p = bench_opaque(realloc(bench_opaque(p), size));
    if (p == NULL) bench_die("realloc");
    return p;
}

/* 1,000 strings grow in turn, so that each finds its neighbour taken. */
static void strings(struct bench *b)
{
    enum { STRINGS = 1000, LONGEST = 2000 };
    static char *text[STRINGS];
    static size_t length[STRINGS];
    uint64_t rounds = bench_scaled(b, 5000000), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        size_t at = (size_t)(((r & 0xffffffff) * STRINGS) >> 32);
        size_t more = 1 + (size_t)(r >> 59);
        if (length[at] + more > LONGEST) {
            bench_free(text[at]);
            text[at] = NULL;
            length[at] = 0;
        }
        text[at] = bench_realloc(text[at], length[at] + more);
        memset(text[at] + length[at], 'x', more);
        length[at] += more;
    }
    bench_stop(b, rounds);
    for (size_t i = 0; i < STRINGS; i++) bench_free(text[i]);
}

/* 64 vectors grow by doubling to 4 MiB at most, then start again: allocations of every size class and of mappings. */
static void vectors(struct bench *b)
{
    enum { VECTORS = 64 };
    static char *vector[VECTORS];
    static size_t capacity[VECTORS], limit[VECTORS];
    uint64_t rounds = bench_scaled(b, 60000), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        size_t at = bench_below(&random, VECTORS);
        if (capacity[at] >= limit[at]) {
            bench_free(vector[at]);
            vector[at] = NULL;
            capacity[at] = 16;
            limit[at] = (size_t)1024 << bench_below(&random, 13);
        }
        size_t larger = capacity[at] * 2;
        vector[at] = bench_realloc(vector[at], larger);
        memset(vector[at] + capacity[at], 1, larger - capacity[at]);
        capacity[at] = larger;
    }
    bench_stop(b, rounds);
    for (size_t i = 0; i < VECTORS; i++) bench_free(vector[i]);
}

/* A reader asks for 64 KiB, gets some of that, and keeps it: 4,000 of these live. */
static void shrink(struct bench *b)
{
    enum { KEPT = 4000, ROOM = 65536 };
    static void *kept[KEPT];
    uint64_t rounds = bench_scaled(b, 300000), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        size_t at = (size_t)(((r & 0xffffffff) * KEPT) >> 32);
        size_t length = (size_t)64 << ((r >> 32) & 7);
        length += (size_t)(r >> 40) % length;
        void *p = bench_malloc(ROOM);
        memset(p, 1, length);
        bench_free(kept[at]);
        kept[at] = bench_realloc(p, length);
    }
    bench_stop(b, rounds);
    for (size_t i = 0; i < KEPT; i++) bench_free(kept[i]);
}

static void buffer(struct bench *b)
{
    const size_t step = 1u << 20;
    uint64_t steps = bench_scaled(b, 256);
    char *p = NULL;
    bench_start(b);
    for (uint64_t i = 0; i < steps; i++) {
        p = bench_realloc(p, (i + 1) * step);
        bench_touch_pages(p + i * step, step);
    }
    bench_stop(b, steps);
    bench_free(p);
}

const struct workload bench_grow[] = {
    {"strings", strings, 1, "1,000 strings grow by 1 to 32 bytes at a time, to 2,000", BENCH_USUAL},
    {"vectors", vectors, 1, "64 vectors double up to between 1 KiB and 4 MiB, filled", BENCH_USUAL},
    {"shrink", shrink, 1, "malloc(64 KiB), part filled, realloc to that part; 4,000 live", BENCH_USUAL},
    {"buffer", buffer, 1, "one buffer grows in steps of 1 MiB to 256 MiB, touched", BENCH_USUAL},
    {0},
};
