/*
 * work_small.c - workloads of one thread with small and medium blocks: slabs, chunks, their edges, trimming.
 */
#define _GNU_SOURCE
#include "work.h"

#include <malloc.h>
#include <stdlib.h>

enum { MANY = 40000 };

static struct held blocks[MANY];

static void small_churn(void)
{
    churn(blocks, 3000, 15000, 1, 256, 1);
    drop_held(blocks, 3000);
}

static void small_growth(void)
{
    for (size_t i = 0; i < MANY; i++) {
        hold(&blocks[i], 48);
    }
    drop_held(blocks, MANY);
}

static void medium_churn(void)
{
    churn(blocks, 300, 3000, 257, 30000, 2);
    drop_held(blocks, 300);
}

static void medium_growth(void)
{
    for (size_t i = 0; i < 2500; i++) {
        hold(&blocks[i], 4000);
    }
    drop_held(blocks, 2500);
}

/* Above what thread caches keep, below the mmap threshold. */
static void uncached_churn(void)
{
    churn(blocks, 120, 1200, 33000, 131071, 3);
    drop_held(blocks, 120);
}

/* Every slab class; then every other object freed, then the rest from the end. */
static void every_slab_class(void)
{
    size_t count = 0;

    for (size_t size = 16; size <= 256; size += 16) {
        for (int i = 0; i < 500; i++) {
            hold(&blocks[count++], size - (size_t)i % 16);
        }
    }
    for (size_t i = 0; i < count; i += 2) {
        if (blocks[i].address != NULL) {
            drop(&blocks[i]);
        }
    }
    for (size_t i = 0; i < count; i += 4) {
        hold(&blocks[i], 16 + i % 240);
    }
    for (size_t i = count; i-- > 0;) {
        drop_held(&blocks[i], 1);
    }
}

/* One class after the other grows and goes: slabs become chunks and slabs of other classes. */
static void shifting_classes(void)
{
    for (size_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < 4000; i++) {
            hold(&blocks[i], 16 + round * 32);
        }
        for (size_t i = 0; i < 4000; i++) {
            if (i % 50 != round && blocks[i].address != NULL) {
                drop(&blocks[i]);
            }
        }
        for (size_t i = 0; i < 4000; i++) { /* the survivors stay: move them out of the way */
            if (blocks[i].address != NULL) {
                drop_held(&blocks[5000 + round * 100 + i / 50], 1);
                blocks[5000 + round * 100 + i / 50] = blocks[i];
                blocks[i].address = NULL;
            }
        }
    }
    drop_held(blocks, MANY);
}

/* A checkerboard of holes, then requests that no hole fits. */
static void checkerboard(void)
{
    for (size_t i = 0; i < 400; i++) {
        hold(&blocks[i], 34000);
    }
    for (size_t i = 0; i < 400; i += 2) {
        drop_held(&blocks[i], 1);
    }
    for (size_t i = 0; i < 60; i++) {
        hold(&blocks[400 + i], 70000);
    }
    for (size_t i = 0; i < 400; i += 2) {
        hold(&blocks[i], 33000);
    }
    drop_held(blocks, 460);
}

static void trimming(void)
{
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < 100; i++) {
            hold(&blocks[i], 30000 + i * 100);
        }
        for (size_t i = 100; i-- > (size_t)round;) {
            drop_held(&blocks[i], 1);
        }
        malloc_trim(round % 2 == 0 ? 0 : 1000000);
    }
    drop_held(blocks, 100);
    malloc_trim(0);
}

static void tuning(void)
{
    for (int round = 0; round < 3; round++) {
        mallopt(M_MMAP_THRESHOLD, 64 * 1024 << round);
        mallopt(M_TRIM_THRESHOLD, 64 * 1024 << round);
        mallopt(M_TOP_PAD, round * 100000);
        churn(blocks, 100, 150, 1000, 200000, (uint64_t)round + 7);
        mallopt(M_MMAP_MAX, round == 1 ? 0 : 65536);
        churn(blocks, 60, 40, 60000, 400000, (uint64_t)round + 17);
        drop_held(blocks, 100);
    }
}

static void mixed_calls(void)
{
    uint64_t random = 11;

    for (size_t i = 0; i < 5000; i++) {
        struct held *block = &blocks[next_random(&random) % 400];
        uint64_t dice = next_random(&random);
        size_t size = (size_t)1 << (dice >> 8) % 19;
        size += (dice >> 16) % size;
        if (dice % 8 < 3 && block->address != NULL) {
            drop(block);
        } else if (dice % 8 < 5) {
            resize(block, size);
        } else if (block->address == NULL && dice % 8 == 5) {
            hold_zeroed(block, size);
        } else if (block->address == NULL && dice % 8 == 6) {
            hold_aligned(block, (size_t)16 << (dice >> 32) % 10, size);
        } else if (block->address == NULL) {
            hold(block, size);
        }
    }
    drop_held(blocks, 400);
}

const struct workload small_workloads[] = {
    {"small_churn", small_churn},
    {"small_growth", small_growth},
    {"medium_churn", medium_churn},
    {"medium_growth", medium_growth},
    {"uncached_churn", uncached_churn},
    {"every_slab_class", every_slab_class},
    {"shifting_classes", shifting_classes},
    {"checkerboard", checkerboard},
    {"trimming", trimming},
    {"tuning", tuning},
    {"mixed_calls", mixed_calls},
    {NULL, NULL},
};
