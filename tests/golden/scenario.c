/*
 * scenario.c - the fixed scenarios whose instructions are counted: `golden_scenario NAME [TIMES]`.
 *
 * What counts is what runs in the preloaded library between the entry and the return of a function here whose name
 * begins with golden_counted_ (callgrind's --toggle-collect), or between the traps that `traps` sets around one call
 * (see step.c). Everything else, warming up included, does not. Nothing here depends on time, addresses, the
 * environment or, since the two threads never run at once, on scheduling.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED __attribute__((noinline, used))

/* Keeps the compiler from removing an allocation, and from ending a counted function in a jump. */
static inline void *opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

/* A linear congruential generator of its own: the sequence must never change. */
static uint32_t next_random(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
}

/* One call each. */

COUNTED void *golden_counted_malloc(size_t size)
{
    return opaque(malloc(size));
}

COUNTED void golden_counted_free(void *p)
{
    free(opaque(p));
    opaque(p);
}

COUNTED void *golden_counted_calloc(size_t size)
{
    return opaque(calloc(1, size));
}

COUNTED void *golden_counted_realloc(void *p, size_t size)
{
    return opaque(realloc(opaque(p), size));
}

/* Other blocks of the size are live: the block in question is not its slab's only one. */
static void hold_some(size_t size)
{
    for (unsigned i = 0; i < 10; i++)
        opaque(malloc(size));
}

static void malloc_hit(unsigned times)
{
    hold_some(64);
    for (unsigned i = 0; i < times; i++)
        free(golden_counted_malloc(64));
}

static void free_hit(unsigned times)
{
    hold_some(64);
    for (unsigned i = 0; i < times; i++)
        golden_counted_free(opaque(malloc(64)));
}

static void calloc_hit(unsigned times)
{
    hold_some(64);
    for (unsigned i = 0; i < times; i++)
        free(golden_counted_calloc(64));
}

/* A new size that the block has room for already. */
static void realloc_fits(unsigned times)
{
    void *p = opaque(malloc(64));
    for (unsigned i = 0; i < times; i++)
        p = golden_counted_realloc(p, 49 + i % 16);
    free(p);
}

/* A medium block, freed and asked for again. */
static void malloc_medium(unsigned times)
{
    hold_some(4000);
    for (unsigned i = 0; i < times; i++)
        free(golden_counted_malloc(4000));
}

static void free_medium(unsigned times)
{
    hold_some(4000);
    for (unsigned i = 0; i < times; i++)
        golden_counted_free(opaque(malloc(4000)));
}

/* Whole patterns. */

COUNTED void golden_counted_mixed(unsigned times)
{
    static const size_t sizes[16] = {24, 64, 16, 128, 40, 200, 32, 96, 256, 8, 80, 48, 160, 112, 56, 240};
    void *live[16];
    for (unsigned i = 0; i < times; i++) {
        for (int k = 0; k < 16; k++)
            live[k] = opaque(malloc(sizes[k]));
        for (int k = 15; k >= 0; k--)
            free(live[k]);
    }
}

struct node {
    struct node *next;
    uint64_t value[3];
};

COUNTED void golden_counted_list(unsigned length)
{
    struct node *head = NULL;
    for (unsigned i = 0; i < length; i++) {
        struct node *n = opaque(malloc(sizeof *n));
        n->next = head;
        head = n;
    }
    while (head != NULL) {
        struct node *next = head->next;
        free(head);
        head = next;
    }
}

enum { MOST_LIVE = 20000 };
static void *live[MOST_LIVE];

static void fill(unsigned count, size_t least, size_t spread)
{
    for (unsigned i = 0; i < count; i++)
        live[i] = opaque(malloc(least + next_random() % spread));
}

COUNTED void golden_counted_churn(unsigned count, unsigned times, size_t least, size_t spread)
{
    for (unsigned i = 0; i < times; i++) {
        unsigned at = next_random() % count;
        free(live[at]);
        live[at] = opaque(malloc(least + next_random() % spread));
    }
}

static void churn_small(unsigned times)
{
    fill(1000, 16, 256);
    golden_counted_churn(1000, times, 16, 256);
}

static void churn_wide(unsigned times)
{
    fill(MOST_LIVE, 16, 256);
    golden_counted_churn(MOST_LIVE, times, 16, 256);
}

static void churn_medium(unsigned times)
{
    fill(100, 1024, 31 * 1024);
    golden_counted_churn(100, times, 1024, 31 * 1024);
}

COUNTED void golden_counted_calloc_churn(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        unsigned at = next_random() % 1000;
        free(live[at]);
        live[at] = opaque(calloc(1, 16 + next_random() % 2048));
    }
}

/* 100 strings in turn, by up to 32 bytes, to 2,000. */
COUNTED void golden_counted_growth(unsigned times)
{
    static size_t length[100];
    for (unsigned i = 0; i < times; i++) {
        unsigned at = next_random() % 100;
        length[at] = length[at] > 2000 ? 1 : length[at] + 1 + next_random() % 32;
        live[at] = opaque(realloc(live[at], length[at]));
    }
}

COUNTED void golden_counted_aligned(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        unsigned at = next_random() % 200;
        free(live[at]);
        live[at] = opaque(aligned_alloc((size_t)32 << (i % 4), 16 + next_random() % 1024));
    }
}

/* Mappings of their own. */
COUNTED void golden_counted_large(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        unsigned at = next_random() % 8;
        free(live[at]);
        live[at] = opaque(malloc(200000 + next_random() % 400000));
    }
}

/* One thread allocates, the other frees; the semaphores let one run at a time. */

enum { HANDED = 64 };
static void *handed[HANDED];
static sem_t ready, taken;

COUNTED void golden_counted_fill_hand(void)
{
    for (int i = 0; i < HANDED; i++)
        handed[i] = opaque(malloc(16 + (size_t)i * 3));
}

COUNTED void golden_counted_empty_hand(void)
{
    for (int i = 0; i < HANDED; i++)
        free(handed[i]);
}

static void *take_over(void *arg)
{
    for (unsigned i = *(unsigned *)arg; i > 0; i--) {
        sem_wait(&ready);
        golden_counted_empty_hand();
        sem_post(&taken);
    }
    return NULL;
}

static void hand_over(unsigned times)
{
    pthread_t other;
    sem_init(&ready, 0, 0);
    sem_init(&taken, 0, 0);
    if (pthread_create(&other, NULL, take_over, &times) != 0)
        exit(1);
    for (unsigned i = 0; i < times; i++) {
        golden_counted_fill_hand();
        sem_post(&ready);
        sem_wait(&taken);
    }
    pthread_join(other, NULL);
}

#if defined(__x86_64__)
#define TRAP() __asm__ volatile("int3" ::: "memory")
#else
#define TRAP() ((void)0)
#endif

/* For step.c: a trap before and after one malloc, one free, and so on. */
static void traps(unsigned times)
{
    hold_some(64);
    for (unsigned i = 0; i < 100; i++)
        free(opaque(malloc(64)));
    for (unsigned i = 0; i < times; i++) {
        TRAP();
        void *p = opaque(malloc(64));
        TRAP();
        TRAP();
        free(p);
        TRAP();
    }
}

static const struct {
    const char *name;
    void (*run)(unsigned times);
    unsigned times; /* without an argument */
} scenarios[] = {
    {"malloc_hit", malloc_hit, 1000},
    {"free_hit", free_hit, 1000},
    {"calloc_hit", calloc_hit, 1000},
    {"realloc_fits", realloc_fits, 1000},
    {"malloc_medium", malloc_medium, 1000},
    {"free_medium", free_medium, 1000},
    {"mixed", golden_counted_mixed, 1000},
    {"list", golden_counted_list, 200000},
    {"churn_small", churn_small, 20000},
    {"churn_wide", churn_wide, 50000},
    {"churn_medium", churn_medium, 10000},
    {"calloc_churn", golden_counted_calloc_churn, 10000},
    {"growth", golden_counted_growth, 20000},
    {"aligned", golden_counted_aligned, 10000},
    {"large", golden_counted_large, 500},
    {"hand_over", hand_over, 200},
    {"traps", traps, 100},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof scenarios / sizeof scenarios[0]; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run(argc > 2 ? (unsigned)atoi(argv[2]) : scenarios[i].times);
            return 0;
        }
    fprintf(stderr, "usage: golden_scenario NAME [TIMES]\n");
    return 2;
}
