/*
 * mixed.c - sizes and lifetimes mixed: a MicroQuill-style churn (small sizes mostly, three lifetimes at once), and
 * power-law sizes whose distribution changes from phase to phase while some blocks survive, which is what fragments a
 * heap over a long run.
 */
#include "bench.h"

/* Blocks wait in one of three tables; a table of n slots gives a mean life of n of its own allocations. */
enum { SHORT_SLOTS = 32, MIDDLE_SLOTS = 2048, LONG_SLOTS = 65536 };

struct churn_job {
    uint64_t rounds;
    uint64_t seed;
};

/* Mostly a few dozen bytes, now and then hundreds, seldom kilobytes. */
static size_t mixed_size(uint64_t r)
{
    unsigned kind = (unsigned)(r >> 32) & 63;
    size_t spread = (size_t)(r >> 40);
    if (kind < 40)
        return 8 + spread % 57;
    if (kind < 58)
        return 64 + spread % 449;
    if (kind < 63)
        return 512 + spread % 3585;
    return 4096 + spread % 28673;
}

static void *churn_lifetimes(void *arg)
{
    const struct churn_job *job = arg;
    uint64_t random = job->seed;
    void **table = calloc(SHORT_SLOTS + MIDDLE_SLOTS + LONG_SLOTS, sizeof *table);
    if (table == NULL)
        bench_die("calloc");
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        unsigned life = (unsigned)r & 15;
        uint32_t pick = (uint32_t)(r >> 4) & 0xffff;
        size_t slot;
        if (life < 9)
            slot = pick % SHORT_SLOTS;
        else if (life < 15)
            slot = SHORT_SLOTS + pick % MIDDLE_SLOTS;
        else
            slot = SHORT_SLOTS + MIDDLE_SLOTS + pick % LONG_SLOTS;
        bench_free(table[slot]);
        table[slot] = bench_malloc(mixed_size(r));
    }
    for (size_t i = 0; i < SHORT_SLOTS + MIDDLE_SLOTS + LONG_SLOTS; i++)
        bench_free(table[i]);
    free(table);
    return NULL;
}

static void lifetimes(struct bench *b)
{
    struct churn_job job = {bench_scaled(b, 8000000), BENCH_SEED};
    bench_start(b);
    churn_lifetimes(&job);
    bench_stop(b, job.rounds);
}

static void lifetimes2(struct bench *b)
{
    struct churn_job one = {bench_scaled(b, 4000000), BENCH_SEED}, two = {one.rounds, ~BENCH_SEED};
    bench_start(b);
    bench_in_threads(2, churn_lifetimes, (void *[]){&one, &two});
    bench_stop(b, one.rounds + two.rounds);
}

/* A power law: half of the sizes are within twice the phase's smallest, a quarter within the next doubling, ... */
static size_t power_size(uint64_t *random, size_t smallest)
{
    uint64_t r = bench_random(random);
    unsigned doublings = (unsigned)__builtin_ctzll(r | 1ull << 10);
    size_t base = smallest << doublings;
    size_t size = base + (size_t)((r >> 32) * base >> 32);
    return size < 8 ? 8 : size;
}

/*
 * Each phase fills the live set with its own sizes, replaces blocks at random, and then frees all but a tenth; what
 * survives stays for three more phases.
 */
static void phases(struct bench *b)
{
    static const size_t smallest[] = {16, 48, 24, 96, 32, 160, 20, 64, 200, 40, 120, 28};
    enum { PHASES = sizeof smallest / sizeof smallest[0], SURVIVORS = 20000, KEEP = 4 };
    const size_t live_bytes = 24u << 20;
    uint64_t random = BENCH_SEED, operations = 0;
    const size_t most = live_bytes / 16;
    void **live = malloc(most * sizeof *live);
    void **kept = calloc((size_t)KEEP * SURVIVORS, sizeof *kept);
    if (live == NULL || kept == NULL)
        bench_die("malloc");
    uint64_t repeat = bench_scaled(b, 1);
    bench_start(b);
    for (uint64_t phase = 0; phase < PHASES * repeat; phase++) {
        size_t small = smallest[phase % PHASES], count = 0;
        for (size_t bytes = 0; bytes < live_bytes && count < most;) {
            size_t size = power_size(&random, small);
            live[count] = bench_malloc(size);
            memset(live[count++], 1, size);
            bytes += size;
        }
        for (size_t i = 0; i < count; i++) {
            size_t at = bench_below(&random, (uint32_t)count);
            bench_free(live[at]);
            live[at] = bench_malloc(power_size(&random, small));
        }
        operations += 2 * count;
        void **survivors = kept + (phase % KEEP) * SURVIVORS;
        for (size_t i = 0; i < SURVIVORS; i++) {
            bench_free(survivors[i]);
            survivors[i] = NULL;
        }
        for (size_t i = 0, next = 0; i < count; i++) {
            if (i % 10 == 0 && next < SURVIVORS)
                survivors[next++] = live[i];
            else
                bench_free(live[i]);
        }
    }
    bench_stop(b, operations);
    for (size_t i = 0; i < (size_t)KEEP * SURVIVORS; i++)
        bench_free(kept[i]);
    free(kept);
    free(live);
}

const struct workload bench_mixed[] = {
    {"lifetimes", lifetimes, 1, "mixed sizes (8 bytes to 32 KiB) with three lifetimes at once"},
    {"lifetimes-2t", lifetimes2, 2, "the same in two threads"},
    {"phases", phases, 1, "power-law sizes that change from phase to phase; a tenth survives"},
    {0},
};
