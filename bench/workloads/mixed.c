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
    if (kind < 40) return 8 + spread % 57;
    if (kind < 58) return 64 + spread % 449;
    if (kind < 63) return 512 + spread % 3585;
    return 4096 + spread % 28673;
}

static void *churn_lifetimes(void *arg)
{
    const struct churn_job *job = arg;
    uint64_t random = job->seed;
    void **table = bench_table(SHORT_SLOTS + MIDDLE_SLOTS + LONG_SLOTS);
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        unsigned life = (unsigned)r & 15;
        uint32_t pick = (uint32_t)(r >> 4) & 0xffff;
        size_t slot;
        if (life < 9) slot = pick % SHORT_SLOTS;
        else if (life < 15) slot = SHORT_SLOTS + pick % MIDDLE_SLOTS;
        else slot = SHORT_SLOTS + MIDDLE_SLOTS + pick % LONG_SLOTS;
        bench_free(table[slot]);
        table[slot] = bench_malloc(mixed_size(r));
    }
    for (size_t i = 0; i < SHORT_SLOTS + MIDDLE_SLOTS + LONG_SLOTS; i++) bench_free(table[i]);
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
static void run_phases(struct bench *b, uint64_t repeat)
{
    static const size_t smallest[] = {16, 48, 24, 96, 32, 160, 20, 64, 200, 40, 120, 28};
    enum { PHASES = sizeof smallest / sizeof smallest[0], SURVIVORS = 20000, KEEP = 4 };
    const size_t live_bytes = 24u << 20;
    uint64_t random = BENCH_SEED, operations = 0;
    const size_t most = live_bytes / 16;
    void **live = bench_table(most);
    void **kept = bench_table((size_t)KEEP * SURVIVORS);
    repeat = bench_scaled(b, repeat);
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
            if (i % 10 == 0 && next < SURVIVORS) survivors[next++] = live[i];
            else bench_free(live[i]);
        }
    }
    bench_stop(b, operations);
    for (size_t i = 0; i < (size_t)KEEP * SURVIVORS; i++) bench_free(kept[i]);
    free(kept);
    free(live);
}

static void phases(struct bench *b) { run_phases(b, 1); }

/* Eight times as long: what fragments a little in each phase shows here. */
static void phases_long(struct bench *b) { run_phases(b, 8); }

enum { BATCHES = 64, BATCH = 1024 };

/* Frees a batch in one of the ways that programs do: forwards, backwards, every other one first. */
static void free_batch(void **batch, unsigned way)
{
    for (size_t i = 0; i < BATCH; i++) {
        size_t at = i;
        if (way == 1) at = BATCH - 1 - i;
        else if (way == 2) at = i < BATCH / 2 ? 2 * i : 2 * (i - BATCH / 2) + 1;
        bench_free(batch[at]);
    }
}

/* After MicroQuill's SmartHeap test: batches of one size after another; a random older batch goes for each new one. */
static void *churn_batches(void *arg)
{
    const struct churn_job *job = arg;
    uint64_t random = job->seed;
    void **live = bench_table((size_t)BATCHES * BATCH);
    for (uint64_t i = 0; i < job->rounds; i++) {
        uint64_t r = bench_random(&random);
        void **batch = live + (r >> 32) % BATCHES * BATCH;
        size_t size = 8 + (size_t)(i % 61) * 8;
        free_batch(batch, (unsigned)r % 3);
        for (size_t k = 0; k < BATCH; k++) batch[k] = bench_malloc(k % 4 == 0 ? size * 2 : size);
    }
    for (size_t i = 0; i < (size_t)BATCHES * BATCH; i++) bench_free(live[i]);
    free(live);
    return NULL;
}

static void batches(struct bench *b)
{
    struct churn_job job = {bench_scaled(b, 6000), BENCH_SEED};
    bench_start(b);
    churn_batches(&job);
    bench_stop(b, job.rounds * BATCH);
}

static void batches2(struct bench *b)
{
    struct churn_job one = {bench_scaled(b, 3000), BENCH_SEED}, two = {one.rounds, ~BENCH_SEED};
    bench_start(b);
    bench_in_threads(2, churn_batches, (void *[]){&one, &two});
    bench_stop(b, (one.rounds + two.rounds) * BATCH);
}

const struct workload bench_mixed[] = {
    {"lifetimes", lifetimes, 1, "mixed sizes (8 bytes to 32 KiB) with three lifetimes at once", BENCH_USUAL},
    {"lifetimes-2t", lifetimes2, 2, "the same in two threads", BENCH_USUAL},
    {"batches", batches, 1, "batches of like sizes to 1 KiB, freed forwards, backwards, alternately", BENCH_USUAL},
    {"batches-2t", batches2, 2, "the same in two threads", BENCH_USUAL},
    {"phases", phases, 1, "power-law sizes that change from phase to phase; a tenth survives", BENCH_USUAL},
    {"phases-long", phases_long, 1, "the same, eight times as long", BENCH_USUAL},
    {0},
};
