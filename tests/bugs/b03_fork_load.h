/*
 * b03_fork_load.h - the threads that make fork hard, shared by the b03 programs.
 *
 * The deadlock that five allocators have needs three parties: fork's prepare handler holds the allocator's locks and
 * waits for stdio's list lock; fflush(NULL) holds that and waits for a FILE; getline holds the FILE and waits in
 * malloc. So: threads that allocate and free each other's blocks, one in getline, one in fflush(NULL), one that opens
 * and closes streams, and one that begets threads.
 */
#ifndef FREEHOLD_TESTS_B03_FORK_LOAD_H
#define FREEHOLD_TESTS_B03_FORK_LOAD_H

#include "bugs.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOAD_SLOTS 128
#define LOAD_MAX_THREADS 16

static _Atomic(void *) load_slots[LOAD_SLOTS];
static atomic_int load_stop;
static atomic_ulong load_steps;
static pthread_t load_threads[LOAD_MAX_THREADS];
static size_t load_count;
static FILE *load_stream;
static pid_t load_parent;

/* Allocates, marks, and swaps with a slot that any thread may use: most frees are of another thread's block. */
static void load_step(uint64_t *seed)
{
    size_t n = bugs_random_size(seed);
    unsigned char *p = malloc(n);
    unsigned char *old;

    CHECK(p != NULL);
    if (n > 0) {
        p[0] = (unsigned char)n;
        p[n - 1] = (unsigned char)n;
    }
    old = atomic_exchange(&load_slots[bugs_random(seed) % LOAD_SLOTS], p);
    free(old);
}

static void *load_churn(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (unsigned i = 1; !atomic_load_explicit(&load_stop, memory_order_relaxed); i++) {
        load_step(&seed);
        atomic_fetch_add_explicit(&load_steps, 1, memory_order_relaxed);
        if (i % 1024 == 0)
            usleep(200);
    }
    return NULL;
}

/* The line buffer is allocated and grown while the stream is locked. */
static void *load_getline(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&load_stop, memory_order_relaxed)) {
        char *line = NULL;
        size_t size = 0;

        if (getline(&line, &size, load_stream) < 0)
            rewind(load_stream);
        free(line);
    }
    return NULL;
}

static void *load_fflush(void *arg)
{
    /* The pauses let the others in: on two processors the list lock would otherwise nearly always be held here. */
    (void)arg;
    for (unsigned i = 0; !atomic_load_explicit(&load_stop, memory_order_relaxed); i++) {
        fflush(NULL);
        if (i % 4 == 0)
            usleep(100);
    }
    return NULL;
}

static void *load_fopen(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&load_stop, memory_order_relaxed)) {
        FILE *stream = fopen("/dev/null", "w");

        CHECK(stream != NULL);
        fputc('x', stream);
        fclose(stream);
    }
    return NULL;
}

static void *load_short_life(void *arg)
{
    uint64_t seed = (uintptr_t)arg;

    for (int i = 0; i < 20; i++)
        load_step(&seed);
    return NULL;
}

static void *load_births(void *arg)
{
    (void)arg;
    for (uintptr_t i = 1; !atomic_load_explicit(&load_stop, memory_order_relaxed); i++) {
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, load_short_life, (void *)i) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return NULL;
}

static void load_add(void *(*body)(void *), uintptr_t arg)
{
    CHECK(load_count < LOAD_MAX_THREADS);
    CHECK(pthread_create(&load_threads[load_count++], NULL, body, (void *)arg) == 0);
}

__attribute__((unused)) static void load_begin(int churners, int with_stdio, int with_births)
{
    load_parent = getpid();
    load_stream = tmpfile();
    CHECK(load_stream != NULL);
    for (int i = 0; i < 40; i++) {
        for (int j = 0; j < i * 37; j++)
            fputc('a' + j % 26, load_stream);
        fputc('\n', load_stream);
    }
    rewind(load_stream);
    for (int i = 0; i < churners; i++)
        load_add(load_churn, (uintptr_t)i + 1);
    if (with_stdio) {
        load_add(load_getline, 0);
        load_add(load_fflush, 0);
        load_add(load_fopen, 0);
    }
    if (with_births)
        load_add(load_births, 0);
}

__attribute__((unused)) static void load_end(void)
{
    atomic_store(&load_stop, 1);
    for (size_t i = 0; i < load_count; i++)
        CHECK(pthread_join(load_threads[i], NULL) == 0);
    load_count = 0;
    fclose(load_stream);
    for (size_t i = 0; i < LOAD_SLOTS; i++)
        free(atomic_exchange(&load_slots[i], NULL));
    atomic_store(&load_stop, 0);
}

/* What a child does before it may end: every kind of block, and blocks that threads allocated which are not here. */
__attribute__((unused)) static void load_child_allocates(uint64_t seed)
{
    void *blocks[64];

    for (size_t i = 0; i < 64; i++) {
        size_t n = bugs_random_size(&seed);

        blocks[i] = i % 2 == 0 ? malloc(n) : calloc(1, n);
        CHECK(blocks[i] != NULL);
        CHECK(i % 2 == 0 || bugs_kept(blocks[i], n, 0));
        bugs_mark(blocks[i], n, 0x77);
    }
    for (size_t i = 0; i < 64; i++) {
        if (i % 3 == 0)
            blocks[i] = realloc(blocks[i], 1 + bugs_random_size(&seed));
        free(blocks[i]);
    }
    for (size_t i = 0; i < LOAD_SLOTS; i++)
        free(atomic_exchange(&load_slots[i], NULL));
}

static const char *load_hang_text = "hang\n";

static void load_hung(int signal_number)
{
    (void)signal_number;
    (void)!write(2, load_hang_text, strlen(load_hang_text));
    _exit(3);
}

/* How long one fork may take before it counts as a hang: far beyond what any machine needs. Nothing else here depends
 * on time: who forks often calls load_watch at every fork. */
#define LOAD_PATIENCE_S 300

/* Turns a hang into a failure. */
__attribute__((unused)) static void load_watch(const char *text)
{
    load_hang_text = text;
    signal(SIGALRM, load_hung);
    alarm(LOAD_PATIENCE_S);
}

#endif /* FREEHOLD_TESTS_B03_FORK_LOAD_H */
