/*
 * concurrent.c - the places where threads meet inside the allocator, each on its own and as often as can be: frees of
 * other threads' blocks, states that are abandoned, drained and adopted, chunks handed over past a held lock, trimming
 * from aside. Unlike the model it gives threads no order but the blocks themselves. Meant for ThreadSanitizer.
 *
 *     concurrent [ROUNDS]
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "freehold.h"

enum { THREADS = 4, SLOTS = 256, STEPS = 4000 };

/* Blocks lie here for anybody to take: the pointer is the only thing that passes between threads. */
static void *shelf[SLOTS];

static void give_up(const char *what)
{
    fprintf(stderr, "concurrent: FAILED: %s\n", what);
    abort();
}

static uint32_t next(uint32_t *random) { return *random = *random * 1664525u + 1013904223u; }

/* The size is in the block's first word, and its last byte says so too. */
static void *make(uint32_t *random, size_t least, size_t span)
{
    size_t size = least + next(random) % span;
    unsigned char *block = CALL(malloc)(size);
    if (!block) give_up("malloc");
    memcpy(block, &size, sizeof size);
    block[size - 1] = (unsigned char)(size | 1);
    return block;
}

static void check_and_free(unsigned char *block)
{
    size_t size;
    if (!block) return;
    memcpy(&size, block, sizeof size);
    if (block[size - 1] != (unsigned char)(size | 1)) give_up("a block is not what it was");
    CALL(free)(block);
}

struct job {
    uint32_t random;
    size_t least, span;
};

static void *exchange(void *argument)
{
    struct job *job = argument;
    for (int i = 0; i < STEPS; i++) {
        void *block = make(&job->random, job->least, job->span);
        void **place = &shelf[(next(&job->random) >> 8) % SLOTS];
        check_and_free(__atomic_exchange_n(place, block, __ATOMIC_ACQ_REL));
        if (next(&job->random) >> 20 == 0) CALL(malloc_trim)(0);
    }
    return NULL;
}

/* All threads end at about the same time, with blocks of theirs on the shelf, and the next ones adopt. */
static void run(const char *name, size_t least, size_t span, uint32_t rounds)
{
    for (uint32_t round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        struct job jobs[THREADS];
        for (uint32_t i = 0; i < THREADS; i++) {
            jobs[i] = (struct job){round * 977 + i * 131 + 1, least, span};
            if (pthread_create(&threads[i], NULL, exchange, &jobs[i]) != 0) give_up("pthread_create");
        }
        /* Meanwhile, from a thread that lives on: frees for owners that are just ending. */
        for (uint32_t i = 0; i < SLOTS * 8; i++)
            check_and_free(__atomic_exchange_n(&shelf[i % SLOTS], NULL, __ATOMIC_ACQ_REL));
        for (uint32_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        if (fh_check(NULL, NULL) != 0) give_up("fh_check");
    }
    for (uint32_t i = 0; i < SLOTS; i++) check_and_free(__atomic_exchange_n(&shelf[i], NULL, __ATOMIC_ACQ_REL));
    if (fh_check(NULL, NULL) != 0) give_up("fh_check");
    printf("concurrent: %s\n", name);
}

/* Threads that make one block and end, as fast as they can: states go from hand to hand. */
static void *mayfly(void *argument)
{
    struct job *job = argument;
    for (int i = 0; i < 3; i++) {
        void *block = make(&job->random, 16, 600);
        check_and_free(__atomic_exchange_n(&shelf[(next(&job->random) >> 8) % SLOTS], block, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static void *breeder(void *argument)
{
    struct job *job = argument;
    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, mayfly, job) != 0) give_up("pthread_create");
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void run_mayflies(uint32_t rounds)
{
    for (uint32_t round = 0; round < rounds; round++) {
        pthread_t threads[THREADS];
        struct job jobs[THREADS];
        for (uint32_t i = 0; i < THREADS; i++) {
            jobs[i] = (struct job){.random = round * 31 + i + 1};
            if (pthread_create(&threads[i], NULL, breeder, &jobs[i]) != 0) give_up("pthread_create");
        }
        for (uint32_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        if (fh_check(NULL, NULL) != 0) give_up("fh_check");
    }
    printf("concurrent: threads that hardly live\n");
}

int main(int count, char **arguments)
{
    uint32_t rounds = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 10;
    run("small blocks", 16, 240, rounds);
    run("chunks", 300, 8000, rounds);
    run("chunks too large for a thread's store", 33000, 60000, rounds);
    run("large blocks", 131072, 65536, rounds / 4 + 1);
    run("all sizes", 16, 3000, rounds);
    run_mayflies(rounds);
    return 0;
}
