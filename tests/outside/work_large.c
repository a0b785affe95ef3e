/*
 * work_large.c - workloads of one thread with mappings, realloc in all its directions, alignment and calloc.
 */
#define _GNU_SOURCE
#include "work.h"

#include <malloc.h>
#include <stdlib.h>

enum { KIB = 1024, MIB = 1024 * 1024, MANY = 2000 };

static struct held blocks[MANY];

static void large_churn(void)
{
    churn(blocks, 10, 40, 128 * KIB, 1 * MIB, 21);
    drop_held(blocks, 10);
}

static void large_kept(void)
{
    for (size_t i = 0; i < 30; i++) {
        hold(&blocks[i], 128 * KIB + i * 10000);
    }
    drop_held(blocks, 30);
}

/* The same size again and again, which an adaptive threshold may keep warm. */
static void large_again(void)
{
    for (size_t i = 0; i < 60; i++) {
        if (hold(&blocks[0], 600000 + i / 20 * 100000)) {
            drop(&blocks[0]);
        }
    }
}

static void around_the_threshold(void)
{
    for (size_t i = 0; i < 60; i++) {
        hold(&blocks[i], 128 * KIB - 30 + i);
    }
    for (size_t i = 0; i < 60; i++) {
        resize(&blocks[i], 128 * KIB + 30 - i);
    }
    drop_held(blocks, 60);
}

static void realloc_small_growth(void)
{
    for (size_t size = 8; size < 130000; size += size / 2) {
        for (size_t i = 0; i < 20; i++) {
            resize(&blocks[i], size + i);
        }
    }
    drop_held(blocks, 20);
}

static void realloc_large_growth(void)
{
    for (size_t size = 100000; size < 8 * MIB; size *= 2) {
        resize(&blocks[0], size);
        resize(&blocks[1], size + 5000);
    }
    drop_held(blocks, 2);
}

static void realloc_shrinking(void)
{
    for (size_t i = 0; i < 4; i++) {
        hold(&blocks[i], 8 * MIB);
    }
    for (size_t size = 6 * MIB; size > 16; size = size / 2 - size / 16) {
        for (size_t i = 0; i < 4; i++) {
            resize(&blocks[i], size);
        }
    }
    drop_held(blocks, 4);
}

/* Vectors that grow side by side: in place rarely, by moving mostly. */
static void realloc_interleaved(void)
{
    for (size_t size = 200; size < 300000; size += size / 3) {
        for (size_t i = 0; i < 12; i++) {
            resize(&blocks[i], size * (i % 3 + 1));
        }
    }
    drop_held(blocks, 12);
}

static void aligned_small(void)
{
    for (size_t i = 0; i < 1500; i++) {
        hold_aligned(&blocks[i], (size_t)8 << i % 10, 1 + i * 37 % 5000);
    }
    for (size_t i = 0; i < 1500; i += 2) {
        drop_held(&blocks[i], 1);
    }
    for (size_t i = 0; i < 1500; i += 2) {
        resize(&blocks[i], 100);
    }
    drop_held(blocks, 1500);
}

static void aligned_large(void)
{
    for (size_t i = 0; i < 44; i++) {
        hold_aligned(&blocks[i], (size_t)4096 << i % 11, 50000 + i * 20000);
    }
    for (size_t i = 0; i < 44; i += 3) {
        resize(&blocks[i], 700000);
    }
    drop_held(blocks, 44);
}

static void calloc_small(void)
{
    for (int round = 0; round < 3; round++) { /* the second time on memory that was used */
        for (size_t i = 0; i < MANY; i++) {
            hold_zeroed(&blocks[i], 1 + i * 7 % 3000);
        }
        drop_held(blocks, MANY);
    }
}

static void calloc_large(void)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 20; i++) {
            hold_zeroed(&blocks[i], 60000 + i * 20000);
        }
        drop_held(blocks, 20);
    }
}

/* What no machine has, between requests that it has. */
static void impossible_sizes(void)
{
    volatile size_t huge = SIZE_MAX / 4;

    for (size_t i = 0; i < 50; i++) {
        struct held none;
        EXPECT(!hold(&none, huge + i), "malloc of a quarter of the address space succeeded");
        EXPECT(!hold_aligned(&none, 4096, huge), "posix_memalign of the same succeeded");
        hold(&blocks[i], 3000 * i);
        EXPECT(!resize(&blocks[i], huge), "realloc to the same succeeded");
    }
    drop_held(blocks, 50);
}

static void old_interfaces(void)
{
    for (size_t i = 0; i < 100; i++) {
        void *page = i % 2 == 0 ? valloc(i * 1000) : pvalloc(i * 1000);
        EXPECT((uintptr_t)page % 4096 == 0, "valloc gave %p", page);
        void *other = memalign(64, i * 3000);
        EXPECT((uintptr_t)other % 64 == 0, "memalign gave %p", other);
        if (page != NULL) {
            adopt(&blocks[i], page, i * 1000);
        }
        if (other != NULL) {
            adopt(&blocks[100 + i], other, malloc_usable_size(other));
        }
    }
    drop_held(blocks, 200);
}

const struct workload large_workloads[] = {
    {"large_churn", large_churn},
    {"large_kept", large_kept},
    {"large_again", large_again},
    {"around_the_threshold", around_the_threshold},
    {"realloc_small_growth", realloc_small_growth},
    {"realloc_large_growth", realloc_large_growth},
    {"realloc_shrinking", realloc_shrinking},
    {"realloc_interleaved", realloc_interleaved},
    {"aligned_small", aligned_small},
    {"aligned_large", aligned_large},
    {"calloc_small", calloc_small},
    {"calloc_large", calloc_large},
    {"impossible_sizes", impossible_sizes},
    {"old_interfaces", old_interfaces},
    {NULL, NULL},
};
