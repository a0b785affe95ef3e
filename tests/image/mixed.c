/*
 * mixed.c - a program to be looked at: blocks of all sizes from four threads, some freed, some by others. It says
 * "ready"; at each SIGUSR1 it keeps 10,000 blocks of 500 bytes more, and writes the file "grown"; at SIGUSR2 it frees
 * 99 of 100 of them, gives memory back, and writes the file "trimmed".
 *
 * With FILE as its argument, addresses go there: of a live small block, of a freed one, of a live chunk, of a large
 * block, of the stack, of code. Each block holds a sentence that a snapshot must not hold.
 */
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 6000, GROWTH = 10000, LONG_LIVED = 100 };

static void *blocks[THREADS][BLOCKS];
static pthread_barrier_t all_made;
static volatile sig_atomic_t wanted, trim_wanted;

/* A wrapper: the one to name is its caller. */
__attribute__((noinline)) static void *checked_malloc(size_t bytes)
{
    void *block = malloc(bytes);
    if (!block)
        abort();
    return block;
}

static void *make_block(size_t bytes)
{
    static const char content[] = "WHAT-A-BLOCK-HOLDS ";
    char *block = checked_malloc(bytes);
    for (size_t i = 0; i < bytes && i < 2000; i++)
        block[i] = content[i % (sizeof(content) - 1)];
    return block;
}

static void *work(void *arg)
{
    size_t own = (size_t)(uintptr_t)arg, other = (own + 1) % THREADS;
    char name[16];
    snprintf(name, sizeof(name), "worker %zu", own);
    if (own)
        pthread_setname_np(pthread_self(), name);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[own][i] = make_block(i % 100 < 90 ? 1 + i % 400 : i % 100 < 99 ? i % 7000 : 100000 + i % 200000);
    pthread_barrier_wait(&all_made);
    for (size_t i = 0; i < BLOCKS; i += i % 7 < 3 ? 1 : 2) {
        if (i % 2 == 0) {
            free(blocks[own][i]);
            blocks[own][i] = NULL;
        } else if (i % 64 == 1) {
            free(blocks[other][i]);
            blocks[other][i] = NULL;
        }
    }
    pthread_barrier_wait(&all_made);
    if (own)
        pause();
    return NULL;
}

static void *kept[16 * GROWTH];
static int kept_count;

__attribute__((noinline)) static void grow_here(void)
{
    for (int i = 0; i < GROWTH && kept_count < 16 * GROWTH; i++)
        kept[kept_count++] = make_block(1500);
}

static void shrink(void)
{
    for (int i = 0; i < kept_count; i++) {
        if (i % LONG_LIVED != 0)
            free(kept[i]);
    }
    kept_count = 0;
    malloc_trim(0);
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        wanted++;
    else
        trim_wanted++;
}

static void tell(const char *name, int number)
{
    FILE *file = fopen(name, "w");
    fprintf(file, "%d\n", number);
    fclose(file);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    pthread_barrier_init(&all_made, NULL, THREADS);
    for (uintptr_t i = 1; i < THREADS; i++)
        pthread_create(&thread, NULL, work, (void *)i);
    work(NULL);
    void *small = make_block(40), *freed = make_block(40), *chunk = make_block(3000), *large = make_block(1000000);
    free(freed);
    if (argc > 1) {
        FILE *file = fopen(argv[1], "w");
        fprintf(file, "%p %p %p %p %p %p\n", small, freed, chunk, large, (void *)&thread,
                (void *)(uintptr_t)make_block);
        fclose(file);
    }
    write(1, "ready\n", 6);
    for (int done = 0, trimmed = 0;;) {
        sigset_t blocked, before;
        sigfillset(&blocked);
        sigprocmask(SIG_BLOCK, &blocked, &before);
        while (done == wanted && trimmed == trim_wanted)
            sigsuspend(&before);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (trimmed != trim_wanted) {
            shrink();
            tell("trimmed", ++trimmed);
        } else {
            grow_here();
            tell("grown", ++done);
        }
    }
}
