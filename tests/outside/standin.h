/*
 * standin.h - what the two files of the stand-in share: the heap (standin.c) and the entry points made from it
 * (standin_entries.c).
 */
#ifndef OUTSIDE_STANDIN_H
#define OUTSIDE_STANDIN_H

#include "freehold.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, BINS = 48, SEGMENTS_MAX = 512, MAPPINGS_MAX = 70000 };
enum { IN_USE = 1, BELOW_IN_USE = 2, MAPPED = 4 };

/* The header of an aligned block, which lies inside of another; the word below says how far from its beginning. */
#define MOVED (UINT64_MAX - 15)

struct free_chunk {
    struct free_chunk *next, *previous;
};

struct segment {
    char *start, *end;
    bool by_break;
};

struct mapping {
    char *start;
    size_t size;
};

bool defect(const char *name);
void *standin_take(size_t request);
void standin_give(void *block);

#endif /* OUTSIDE_STANDIN_H */
