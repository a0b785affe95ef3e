/*
 * latency.c - how long single calls take: each malloc and each free is timed by the processor's counter and goes into a
 * histogram, one for each of the two, from which the percentiles come. Four loads: the churn of a server with mixed
 * sizes; the same in two threads, where half of what a thread frees is the other's; the same over half a gibibyte of
 * live blocks; and large blocks.
 *
 * The counter's own cost (about 20 cycles) is in every value, the same for each allocator. Whatever else interrupts the
 * thread is in the maximum: compare medians of several rounds.
 */
#include "bench.h"

#include <pthread.h>
#include <time.h>

/* Up to EXACT ticks each value has a bucket of its own; above that each doubling has STEPS: at most 0.4 % too low. */
enum { EXACT = 1 << 14, EXACT_BITS = 14, STEP_BITS = 8, STEPS = 1 << STEP_BITS };
enum { BUCKETS = EXACT + (64 - EXACT_BITS) * STEPS };

struct histogram {
    uint32_t bucket[BUCKETS];
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

static unsigned bucket_of(uint64_t value)
{
    if (value < EXACT) return (unsigned)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    return EXACT + (top - EXACT_BITS) * STEPS + (unsigned)(value >> (top - STEP_BITS) & (STEPS - 1));
}

/* The smallest value of a bucket. */
static uint64_t bucket_value(unsigned at)
{
    if (at < EXACT) return at;
    unsigned top = EXACT_BITS + (at - EXACT) / STEPS;
    return (1ull << top) + ((uint64_t)((at - EXACT) % STEPS) << (top - STEP_BITS));
}

static inline void note(struct histogram *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->count++;
    if (value > h->most) h->most = value;
}

static void add(struct histogram *sum, const struct histogram *h)
{
    for (unsigned i = 0; i < BUCKETS; i++) sum->bucket[i] += h->bucket[i];
    sum->count += h->count;
    if (h->most > sum->most) sum->most = h->most;
}

/* The smallest value that at least `part` of all values do not exceed. */
static double percentile(const struct histogram *h, double part)
{
    uint64_t wanted = (uint64_t)((double)h->count * part), seen = 0;
    if ((double)wanted < (double)h->count * part) wanted++;
    for (unsigned at = 0; at < BUCKETS; at++)
        if ((seen += h->bucket[at]) >= wanted) return (double)bucket_value(at);
    return (double)h->most;
}

static void put_figures(struct bench *b, const char *const names[5], const struct histogram *h, double ns_per_tick)
{
    static const double parts[4] = {.5, .99, .999, .9999};
    for (int i = 0; i < 4; i++) bench_figure(b, names[i], percentile(h, parts[i]) * ns_per_tick);
    bench_figure(b, names[4], (double)h->most * ns_per_tick);
}

struct latency_job {
    uint64_t rounds;
    uint64_t seed;
    size_t (*size)(uint64_t r); /* of a block, from the upper half of a random number */
    uint32_t live;
    size_t touch; /* how much of a block is written, if it has so much */
    void **table; /* `live` blocks */
    struct latency_job *other;
    struct histogram mallocs, frees;
};

/* Mostly small, one in 16 to 4 KiB, one in 256 to 64 KiB. */
static size_t mixed_size(uint64_t r)
{
    size_t spread = (size_t)(r >> 40);
    if ((r >> 32 & 255) == 0) return 4096 + spread % 61440;
    if ((r >> 32 & 15) == 0) return 272 + spread % 3824;
    return 16 + spread % 256;
}

/* 64 KiB to 2 MiB. */
static size_t large_size(uint64_t r)
{
    size_t base = (size_t)65536 << ((r >> 32 & 0xffff) % 5);
    return base + (size_t)(r >> 40) % base;
}

static pthread_mutex_t slot_lock[64];

/* Puts a block into a slot, one time in two of the other thread's table, and returns what was there. */
static void *swap(struct latency_job *job, uint32_t at, int foreign, void *p)
{
    struct latency_job *owner = foreign && job->other != NULL ? job->other : job;
    if (job->other != NULL) pthread_mutex_lock(&slot_lock[at % 64]);
    void *old = owner->table[at];
    owner->table[at] = p;
    if (job->other != NULL) pthread_mutex_unlock(&slot_lock[at % 64]);
    return old;
}

static void *timed_churn(void *arg)
{
    struct latency_job *job = arg;
    uint64_t random = job->seed;
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        uint32_t at = (uint32_t)(((r & 0xffffffff) * job->live) >> 32);
        size_t size = job->size(r);
        uint64_t t0 = ticks();
        void *p = bench_opaque(malloc(size));
        uint64_t t1 = ticks();
        if (p == NULL) bench_die("malloc");
        bench_touch_pages(p, size < job->touch ? size : job->touch);
        void *old = swap(job, at, (int)(r >> 63), p);
        uint64_t t2 = ticks();
        bench_free(old);
        uint64_t t3 = ticks();
        note(&job->mallocs, t1 - t0);
        note(&job->frees, t3 - t2);
    }
    return NULL;
}

/* Fills the tables untimed, runs the jobs (one here, two in threads), and turns ticks into figures. */
static void run_latency(struct bench *b, struct latency_job *jobs, int count)
{
    static const char *const malloc_names[] = {"malloc_p50_ns", "malloc_p99_ns", "malloc_p999_ns", "malloc_p9999_ns",
                                               "malloc_max_ns"};
    static const char *const free_names[] = {"free_p50_ns", "free_p99_ns", "free_p999_ns", "free_p9999_ns",
                                             "free_max_ns"};
    uint64_t fill = BENCH_SEED;
    for (int k = 0; k < count; k++) {
        jobs[k].table = bench_table(jobs[k].live);
        for (uint32_t i = 0; i < jobs[k].live; i++) jobs[k].table[i] = bench_malloc(jobs[k].size(bench_random(&fill)));
    }
    double start_s = seconds();
    uint64_t start = ticks();
    bench_start(b);
    if (count == 1) timed_churn(&jobs[0]);
    else bench_in_threads(2, timed_churn, (void *[]){&jobs[0], &jobs[1]});
    bench_stop(b, jobs[0].rounds * (unsigned)count);
    double ns_per_tick = (seconds() - start_s) * 1e9 / (double)(ticks() - start);
    for (int k = 1; k < count; k++) {
        add(&jobs[0].mallocs, &jobs[k].mallocs);
        add(&jobs[0].frees, &jobs[k].frees);
    }
    put_figures(b, malloc_names, &jobs[0].mallocs, ns_per_tick);
    put_figures(b, free_names, &jobs[0].frees, ns_per_tick);
    for (int k = 0; k < count; k++) {
        for (uint32_t i = 0; i < jobs[k].live; i++) bench_free(jobs[k].table[i]);
        free(jobs[k].table);
    }
}

static void latency(struct bench *b)
{
    static struct latency_job job = {.seed = ~BENCH_SEED, .size = mixed_size, .live = 50000, .touch = 1};
    job.rounds = bench_scaled(b, 1500000);
    run_latency(b, &job, 1);
}

static void latency2(struct bench *b)
{
    static struct latency_job jobs[2];
    for (int i = 0; i < 64; i++) pthread_mutex_init(&slot_lock[i], NULL);
    for (int k = 0; k < 2; k++) {
        jobs[k] =
            (struct latency_job){.seed = ~BENCH_SEED + (unsigned)k, .size = mixed_size, .live = 25000, .touch = 1};
        jobs[k].rounds = bench_scaled(b, 750000);
        jobs[k].other = &jobs[1 - k];
    }
    run_latency(b, jobs, 2);
}

/* Blocks of 430 bytes on average: 1.2 million are half a gibibyte. */
static void latency_live(struct bench *b)
{
    static struct latency_job job = {.seed = ~BENCH_SEED, .size = mixed_size, .live = 1200000, .touch = 1};
    job.rounds = bench_scaled(b, 1500000);
    run_latency(b, &job, 1);
}

static void latency_large(struct bench *b)
{
    static struct latency_job job = {.seed = ~BENCH_SEED, .size = large_size, .live = 40, .touch = 16384};
    job.rounds = bench_scaled(b, 150000);
    run_latency(b, &job, 1);
}

const struct workload bench_latency[] = {
    {"latency", latency, 1, "16 bytes to 64 KiB, 50,000 live, every call timed", BENCH_LATENCY},
    {"latency-2t", latency2, 2, "the same in two threads; half of what a thread frees is the other's", BENCH_LATENCY},
    {"latency-512m", latency_live, 1, "the same in one thread, 512 MiB live", BENCH_LATENCY},
    {"latency-large", latency_large, 1, "64 KiB to 2 MiB, 40 live, 16 KiB of each touched", BENCH_LATENCY},
    {0},
};
