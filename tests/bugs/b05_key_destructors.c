/*
 * b05_key_destructors - key destructors that allocate in all four rounds, and a great many thread births: RSS is flat.
 *
 * An allocator that gives up a thread's state in a key destructor of its own is called again by later destructors, and
 * leaks the state that it then makes (four known allocators lose 0.5 to 2 MB a thread). The keys here are made before
 * and after the first thread, and there are more of them than one, so that some destructor always comes last.
 * Arguments: number of thread births (20,000; long 1,000,000).
 */
#include "bugs.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#define KEYS 4
#define BATCH 8
#define ALLOWED_KIB 1024

static pthread_key_t keys[KEYS];
static atomic_ulong rounds_seen;
static _Atomic(void *) handed_over[64];

struct value {
    int round;
    int key;
    void *block;
};

static void allocate_some(uint64_t *seed)
{
    void *blocks[6];

    for (int i = 0; i < 6; i++) {
        blocks[i] = malloc(bugs_random(seed) % 2000);
        CHECK(blocks[i] != NULL);
    }
    for (int i = 0; i < 6; i++)
        free(blocks[i]);
}

static void destroy(void *arg)
{
    struct value *value = arg;
    struct value *next;
    uint64_t seed = (uint64_t)value->round;

    CHECK(*(int *)value->block == value->round);
    atomic_fetch_add_explicit(&rounds_seen, 1, memory_order_relaxed);
    allocate_some(&seed);
    if (value->round < PTHREAD_DESTRUCTOR_ITERATIONS) {
        next = malloc(sizeof *next);
        CHECK(next != NULL);
        *next = *value;
        next->round++;
        next->block = malloc(40 + (size_t)value->key * 300);
        CHECK(next->block != NULL);
        *(int *)next->block = next->round;
        CHECK(pthread_setspecific(keys[value->key], next) == 0);
    }
    free(value->block);
    free(value);
    /* In the last round this is the last the allocator hears of the thread, after every list of it was handed over. */
    free(malloc(100));
}

static void *body(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (int i = 0; i < KEYS; i++) {
        struct value *value = malloc(sizeof *value);

        CHECK(value != NULL);
        value->round = 1;
        value->key = i;
        value->block = malloc(sizeof(int));
        CHECK(value->block != NULL);
        *(int *)value->block = 1;
        CHECK(pthread_setspecific(keys[i], value) == 0);
    }
    /* Blocks that outlive their thread, freed by another one. */
    for (int i = 0; i < 4; i++) {
        void *p = malloc(bugs_random(&seed) % 600);

        free(atomic_exchange(&handed_over[bugs_random(&seed) % 64], p));
    }
    allocate_some(&seed);
    return NULL;
}

static void births(long count)
{
    pthread_t threads[BATCH];

    for (long i = 0; i < count; i += BATCH) {
        for (int j = 0; j < BATCH; j++)
            CHECK(pthread_create(&threads[j], NULL, body, (void *)(uintptr_t)(i + j + 1)) == 0);
        for (int j = 0; j < BATCH; j++)
            CHECK(pthread_join(threads[j], NULL) == 0);
    }
}

int main(int argc, char **argv)
{
    long count = bugs_count(argc, argv, 20000);
    size_t before_kib;
    size_t after_kib;

    bugs_start();
    for (int i = 0; i < KEYS / 2; i++)
        CHECK(pthread_key_create(&keys[i], destroy) == 0);
    free(malloc(10));
    for (int i = KEYS / 2; i < KEYS; i++)
        CHECK(pthread_key_create(&keys[i], destroy) == 0);

    births(2000);
    before_kib = bugs_rss_kib();
    births(count);
    after_kib = bugs_rss_kib();
    CHECK_NUMBERS(after_kib <= before_kib + ALLOWED_KIB, after_kib, before_kib);
    CHECK_NUMBERS(atomic_load(&rounds_seen) >= (unsigned long)count * KEYS * 4, atomic_load(&rounds_seen), count);
    for (int i = 0; i < 64; i++)
        free(atomic_exchange(&handed_over[i], NULL));
    bugs_sound();
    return 0;
}
