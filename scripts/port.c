/*
 * port.c - what a port must do at the least: threads that free each other's blocks, a fork beside them, and a heap that
 * is sound at the end. Exit status 0 when all is well.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "freehold.h"

enum { THREADS = 4, SHARED = 2000, STEPS = 40000 };
static unsigned char *shared[SHARED];

static void complain(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    (void)arg;
    printf("%s at 0x%zx: %s\n", invariant, (size_t)address, text);
}

static void *exchange(void *arg)
{
    unsigned state = (unsigned)(uintptr_t)arg * 7919u + 1u;
    for (int i = 0; i < STEPS; i++) {
        state = state * 1664525u + 1013904223u;
        size_t size = state >> 28 ? state >> 16 & 511 : (state >> 8) % 200000;
        unsigned char *block = calloc(1, size + 1);
        if (!block || block[size]) abort();
        block[size] = 1;
        free(__atomic_exchange_n(&shared[(state >> 4) % SHARED], block, __ATOMIC_ACQ_REL));
    }
    return NULL;
}

static int run_threads(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, exchange, (void *)i) != 0) return 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    return fh_check(complain, NULL) != 0;
}

int main(void)
{
    if (run_threads()) return 1;
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) _exit(run_threads());
    int status;
    if (run_threads() || waitpid(child, &status, 0) != child || status != 0) return 1;
    for (int i = 0; i < SHARED; i++) free(shared[i]);
    return fh_check(complain, NULL) != 0;
}
