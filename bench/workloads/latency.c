/*
 * latency.c - how long single calls take: the churn of a server with mixed sizes, each malloc and each free timed by
 * the processor's counter, into a histogram with 16 steps for each doubling. The percentiles go out beside the usual
 * figures.
 *
 * The counter's own cost (about 20 cycles) is in every value, the same for each allocator. Whatever else interrupts the
 * thread is in the maximum: compare medians of several rounds.
 */
#include "bench.h"

#include <stdio.h>
#include <time.h>

enum { STEPS = 16, BUCKETS = 64 * STEPS };

struct histogram {
    uint64_t bucket[BUCKETS];
    uint64_t count, most;
};

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value) : : "memory");
    return value;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
#endif
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void note(struct histogram *h, uint64_t value)
{
    unsigned at = (unsigned)value;
    if (value >= STEPS) {
        unsigned top = 63u - (unsigned)__builtin_clzll(value);
        at = (top - 3) * STEPS + (unsigned)(value >> (top - 4) & (STEPS - 1));
    }
    h->bucket[at]++;
    h->count++;
    if (value > h->most)
        h->most = value;
}

/* The smallest value of a bucket: the inverse of note. */
static double bucket_value(unsigned at)
{
    if (at < 2 * STEPS)
        return at;
    return (double)((uint64_t)(STEPS + at % STEPS) << (at / STEPS - 1));
}

static double percentile(const struct histogram *h, double part)
{
    uint64_t rest = (uint64_t)((double)h->count * part);
    unsigned at = 0;
    for (uint64_t seen = h->bucket[0]; seen <= rest && at < BUCKETS - 1; seen += h->bucket[at])
        at++;
    return bucket_value(at);
}

static int print_percentiles(char *text, size_t room, const char *call, const struct histogram *h, double ns_per_tick)
{
    return snprintf(text, room, " %s_p50_ns %.1f %s_p99_ns %.1f %s_p999_ns %.1f %s_p9999_ns %.1f %s_max_ns %.0f", call,
                    percentile(h, .5) * ns_per_tick, call, percentile(h, .99) * ns_per_tick, call,
                    percentile(h, .999) * ns_per_tick, call, percentile(h, .9999) * ns_per_tick, call,
                    (double)h->most * ns_per_tick);
}

/* Mostly small, one in 16 to 4 KiB, one in 256 to 64 KiB. */
static size_t latency_size(uint64_t r)
{
    size_t spread = (size_t)(r >> 40);
    if ((r >> 32 & 255) == 0)
        return 4096 + spread % 61440;
    if ((r >> 32 & 15) == 0)
        return 272 + spread % 3824;
    return 16 + spread % 256;
}

static void latency(struct bench *b)
{
    enum { LIVE = 50000 };
    static void *live[LIVE];
    static struct histogram mallocs, frees;
    uint64_t rounds = bench_scaled(b, 2000000), random = BENCH_SEED;
    for (int i = 0; i < LIVE; i++)
        live[i] = bench_malloc(latency_size(bench_random(&random)));
    bench_start(b);
    double start_s = seconds();
    uint64_t start = ticks();
    for (uint64_t i = 0; i < rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * LIVE) >> 32);
        size_t size = latency_size(r);
        uint64_t t0 = ticks();
        bench_free(live[at]);
        uint64_t t1 = ticks();
        live[at] = bench_opaque(malloc(size));
        uint64_t t2 = ticks();
        note(&frees, t1 - t0);
        note(&mallocs, t2 - t1);
    }
    double ns_per_tick = (seconds() - start_s) * 1e9 / (double)(ticks() - start);
    bench_stop(b, rounds);
    int used = print_percentiles(b->extra, sizeof b->extra, "malloc", &mallocs, ns_per_tick);
    print_percentiles(b->extra + used, sizeof b->extra - (size_t)used, "free", &frees, ns_per_tick);
    for (int i = 0; i < LIVE; i++)
        bench_free(live[i]);
}

const struct workload bench_latency[] = {
    {"latency", latency, 1, "16 bytes to 64 KiB, 50,000 live, every call timed"},
    {0},
};
