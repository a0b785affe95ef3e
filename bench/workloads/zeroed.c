/*
 * zeroed.c - calloc, small and large, and aligned allocation. Each operation is one allocation and one free.
 */
#include "bench.h"

static void *bench_calloc(size_t count, size_t size)
{
    void *p = bench_opaque(calloc(count, size));
    if (p == NULL) bench_die("calloc");
    return p;
}

static void small_calloc(struct bench *b)
{
    enum { LIVE = 20000 };
    static void *live[LIVE];
    uint64_t rounds = bench_scaled(b, 6000000), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * LIVE) >> 32);
        bench_free(live[at]);
        live[at] = bench_calloc(1, 16 + (size_t)(r >> 56));
        *(volatile uint64_t *)live[at] = r;
    }
    bench_stop(b, rounds);
    for (int i = 0; i < LIVE; i++) bench_free(live[i]);
}

/* Tables of 2 to 64 KiB of which a sixteenth is ever written: memory known to be zero need not be cleared. */
static void table_calloc(struct bench *b)
{
    enum { LIVE = 500 };
    static void *live[LIVE];
    uint64_t rounds = bench_scaled(b, 200000), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        size_t at = bench_below(&random, LIVE), size = 2048 + bench_below(&random, 63488);
        bench_free(live[at]);
        live[at] = bench_calloc(size / 16, 16);
        memset(live[at], 1, size / 16);
    }
    bench_stop(b, rounds);
    for (int i = 0; i < LIVE; i++) bench_free(live[i]);
}

/* A large zeroed array of which one page in 16 is used. */
static void sparse_calloc(struct bench *b)
{
    uint64_t rounds = bench_scaled(b, 4000);
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        char *p = bench_calloc(1u << 20, 1);
        for (size_t at = 0; at < 1u << 20; at += 65536) ((volatile char *)p)[at] = 1;
        bench_free(p);
    }
    bench_stop(b, rounds);
}

struct aligned_kind {
    size_t least_alignment; /* or twice, 4 or 8 times that */
    size_t least_size, most_size;
    uint32_t live;
    uint64_t rounds;
};

static void run_aligned(struct bench *b, const struct aligned_kind *kind)
{
    void **live = bench_table(kind->live);
    uint64_t rounds = bench_scaled(b, kind->rounds), random = BENCH_SEED;
    bench_start(b);
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * kind->live) >> 32);
        size_t alignment = kind->least_alignment << ((r >> 32) & 3);
        size_t size = kind->least_size + (size_t)(r >> 40) % (kind->most_size - kind->least_size + 1);
        bench_free(live[at]);
        if (posix_memalign(&live[at], alignment, size) != 0) bench_die("posix_memalign");
        *(volatile uint64_t *)bench_opaque(live[at]) = r;
    }
    bench_stop(b, rounds);
    for (uint32_t i = 0; i < kind->live; i++) bench_free(live[i]);
    free(live);
}

static void aligned(struct bench *b)
{
    static const struct aligned_kind lines = {32, 16, 1039, 5000, 2500000};
    run_aligned(b, &lines);
}

static void aligned_pages(struct bench *b)
{
    static const struct aligned_kind pages = {4096, 4096, 65536, 300, 1000000};
    run_aligned(b, &pages);
}

const struct workload bench_zeroed[] = {
    {"calloc-small", small_calloc, 1, "calloc of 16 to 271 bytes, 20,000 live", BENCH_USUAL},
    {"calloc-table", table_calloc, 1, "calloc of 2 to 64 KiB, 500 live, a sixteenth written", BENCH_USUAL},
    {"calloc-sparse", sparse_calloc, 1, "calloc(1 MiB), one page in 16 written, free", BENCH_USUAL},
    {"aligned", aligned, 1, "posix_memalign to 32, 64, 128, 256; 16 to 1,039 bytes, 5,000 live", BENCH_USUAL},
    {"aligned-pages", aligned_pages, 1, "posix_memalign to 4 to 32 KiB; 4 to 64 KiB, 300 live", BENCH_USUAL},
    {0},
};
