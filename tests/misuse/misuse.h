/*
 * misuse.h - what the files of the catalogue share.
 *
 * Each file is one mistake: its name says which bug, on what size of block, at which moment. It announces on standard
 * output the line that the library must write, and then makes the mistake. The driver, misuse_run.c, runs it under the
 * preload in a process of its own, and compares. One that gets to its end was not caught.
 */
#ifndef FREEHOLD_TESTS_MISUSE_H
#define FREEHOLD_TESTS_MISUSE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The mistake; defined by each file, and compiled as misuse_act_<file>, by which misuse_main.c knows it. */
void misuse_act(void);

/* What the line may say of the size, besides a number. */
#define ANY_SIZE SIZE_MAX
#define UNKNOWN_SIZE (SIZE_MAX - 1)

/* Where the block is, as extended regular expressions. */
#define IN_A_SLAB "a slab at 0x[0-9a-f]+ of heap [0-9]+"
#define IN_A_CHUNK "a chunk( at 0x[0-9a-f]+)? of heap [0-9]+"
#define IN_A_MAPPING "a mapping( at 0x[0-9a-f]+)?"
#define IN_NO_HEAP "no heap"
#define ANYWHERE ".+"

#define DOUBLE_FREE "double free"
#define NEVER_OURS "free of what was never ours"
#define INSIDE "free of the inside of a block"
#define DAMAGED_HEADER "damaged chunk header"
#define DAMAGED_LINK "damaged free-list link"
#define DAMAGED_SLAB "damaged slab header"

/* Sizes that stand for their kind: odd ones, which no other block of the program has. */
#define SMALL 176
#define MEDIUM 3000
#define MEDIUM_UNCACHED 60000 /* larger than what threads keep */
#define LARGE 200000

/* Announces the line: `what` and `place` are extended regular expressions, `address` NULL stands for any. */
void misuse_expect(const char *what, const void *address, size_t size, const char *place);

/* Hides a pointer from the compiler, which would otherwise object to what follows. */
static inline void *hide(const void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return (void *)(uintptr_t)p;
}

/* malloc that cannot fail, and cannot be reasoned about. */
static inline void *get(size_t n)
{
    void *p = malloc(n);

    if (p == NULL)
        _exit(45);
    return hide(p);
}

/* Frees and hides, so that the pointer can be used once more. */
static inline void release(void *p)
{
    free(p);
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* `count` blocks of n bytes, allocated and freed: moves what was freed before from the cache to where it goes next. */
static inline void churn(size_t n, size_t count)
{
    void **blocks = get(count * sizeof *blocks);

    for (size_t i = 0; i < count; i++)
        blocks[i] = get(n);
    for (size_t i = 0; i < count; i++)
        release(blocks[i]);
    release(blocks);
}

/* Takes blocks of n bytes until every free one has been handed out: a damaged one among them must be noticed. */
static inline void take_many(size_t n, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(volatile char *)get(n) = 1;
}

/* Runs a function in a thread of its own, to its end. */
static inline void in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, body, arg) != 0 || pthread_join(thread, NULL) != 0)
        _exit(45);
}

static inline void *free_in_thread(void *p)
{
    release(p);
    return NULL;
}

static inline void *malloc_in_thread(void *size)
{
    return *(void **)size = get(*(size_t *)size);
}

#endif /* FREEHOLD_TESTS_MISUSE_H */
