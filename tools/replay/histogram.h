/*
 * histogram.h - latencies: a fine clock, and counts by size of tick counts, 32 to each power of two (3 % apart).
 */
#ifndef FREEHOLD_REPLAY_HISTOGRAM_H
#define FREEHOLD_REPLAY_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { FH_HISTOGRAM_MALLOC, FH_HISTOGRAM_FREE, FH_HISTOGRAM_REALLOC, FH_HISTOGRAMS };
enum { FH_HISTOGRAM_SUB_LOG2 = 5, FH_HISTOGRAM_SUB = 1 << FH_HISTOGRAM_SUB_LOG2, FH_HISTOGRAM_BINS = 64 * 32 };

struct fh_histogram {
    uint64_t count, most;
    uint32_t bin[FH_HISTOGRAM_BINS];
};

/* The cycle counter, when everything before has been done. */
static inline uint64_t fh_ticks(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

/* What it costs to look at the clock: the least of many. */
static inline uint64_t fh_ticks_overhead(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 10000; i++) {
        uint64_t start = fh_ticks(), ticks = fh_ticks() - start;
        least = ticks < least ? ticks : least;
    }
    return least;
}

static inline unsigned fh_histogram_bin(uint64_t ticks)
{
    if (ticks < FH_HISTOGRAM_SUB)
        return (unsigned)ticks;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ticks) - FH_HISTOGRAM_SUB_LOG2;
    return (shift + 1) * FH_HISTOGRAM_SUB + (unsigned)(ticks >> shift & (FH_HISTOGRAM_SUB - 1));
}

static inline void fh_histogram_add(struct fh_histogram *histogram, uint64_t ticks)
{
    histogram->bin[fh_histogram_bin(ticks)]++;
    histogram->count++;
    if (ticks > histogram->most)
        histogram->most = ticks;
}

static inline void fh_histogram_merge(struct fh_histogram *sum, const struct fh_histogram *part)
{
    for (int i = 0; i < FH_HISTOGRAM_BINS; i++)
        sum->bin[i] += part->bin[i];
    sum->count += part->count;
    sum->most = part->most > sum->most ? part->most : sum->most;
}

/* The least tick count of the bin that `part` of all calls do not exceed; the largest for 1. */
static inline uint64_t fh_histogram_at(const struct fh_histogram *histogram, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)histogram->count), seen = 0;
    if (part >= 1)
        return histogram->most;
    for (unsigned i = 0; i < FH_HISTOGRAM_BINS; i++) {
        seen += histogram->bin[i];
        if (seen <= wanted)
            continue;
        if (i < FH_HISTOGRAM_SUB)
            return i;
        unsigned shift = i / FH_HISTOGRAM_SUB - 1;
        return (uint64_t)(FH_HISTOGRAM_SUB + i % FH_HISTOGRAM_SUB) << shift;
    }
    return histogram->most;
}

#endif
