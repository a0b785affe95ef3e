/*
 * limits_size.c - limits on how much memory there is: RLIMIT_AS, RLIMIT_DATA, the number of mappings, overcommit.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "mark.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static int limit_address_space(void *arg)
{
    struct rlimit limit = {(uintptr_t)arg, (uintptr_t)arg};

    return setrlimit(RLIMIT_AS, &limit);
}

static int limit_data(void *arg)
{
    struct rlimit limit = {(uintptr_t)arg, (uintptr_t)arg};

    return setrlimit(RLIMIT_DATA, &limit);
}

/*
 * Fills what there is with one size after the other. Each time at least `share` percent of the limit must be had: what
 * was freed in one size serves the next.
 */
static void fill_with_every_size(size_t limit_bytes, size_t share)
{
    static const size_t sizes[] = {16, 100, 256, 1000, 5000, 40000, 130000, 131072, 1000000};
    static const size_t order[] = {3, 0, 7, 1, 5, 8, 2, 6, 4, 3};

    exercise(2, 0);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        size_t size = sizes[order[i]];
        size_t wanted = limit_bytes / 100 * share;
        size_t got = fill_up(size, limit_bytes);
        EXPECT(got >= wanted, "blocks of %zu: %zu KiB of %zu KiB", size, got / KIB, limit_bytes / KIB);
    }
    exercise(2, 0);
}

static void address_space_64m(void)
{
    fill_with_every_size(64 * MIB, 60);
}

static void address_space_192m(void)
{
    fill_with_every_size(192 * MIB, 75);
}

static void address_space_512m(void)
{
    fill_with_every_size(512 * MIB, 85);
}

static void *exercise_with_number(void *arg)
{
    exercise(8, (unsigned)(uintptr_t)arg);
    return NULL;
}

static void exercise_in_threads(void)
{
    pthread_t threads[EXERCISERS];
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * KIB);
    for (size_t i = 0; i < EXERCISERS; i++) {
        EXPECT(pthread_create(&threads[i], &attributes, exercise_with_number, (void *)(uintptr_t)i) == 0, "no thread");
    }
    for (size_t i = 0; i < EXERCISERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void data_32m(void)
{
    fill_with_every_size(32 * MIB, 50);
}

/* The limit falls below what is in use, and rises again. */
static void data_lowered(void)
{
    struct rlimit low = {MIB, RLIM_INFINITY};
    struct rlimit high = {RLIM_INFINITY, RLIM_INFINITY};
    struct held kept[64], none;

    for (size_t i = 0; i < 64; i++) {
        EXPECT(hold(&kept[i], 1000 * i), "malloc gave NULL");
    }
    for (int round = 0; round < 3; round++) {
        EXPECT(setrlimit(RLIMIT_DATA, &low) == 0, "cannot lower RLIMIT_DATA");
        /* More than the heap can hold free from the round before. */
        EXPECT(!hold(&none, 1024 * MIB), "1 GiB beyond the limit");
        EXPECT(!resize(&kept[63], 1024 * MIB), "realloc to 1 GiB beyond the limit");
        fill_up(64, 64 * MIB);
        fill_up(3000, 64 * MIB);
        fill_up(200000, 64 * MIB);
        EXPECT(setrlimit(RLIMIT_DATA, &high) == 0, "cannot raise RLIMIT_DATA");
        exercise(2, 0);
        EXPECT(fill_up(3000, 64 * MIB) >= 64 * MIB, "64 MiB are not had when the limit is gone");
    }
    for (size_t i = 0; i < 64; i++) {
        drop(&kept[i]);
    }
}

/* Mappings of our own until the kernel has no more to give. */
enum { FILLER_MAX = 70000, LARGE_BLOCKS = 2000 };
static void *fillers[FILLER_MAX];

static size_t exhaust_mappings(void)
{
    size_t count = 0;

    while (count < FILLER_MAX) { /* neighbours differ in protection, so that the kernel cannot join them */
        void *page = mmap(NULL, 4096, count % 2 == 0 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            return count;
        }
        fillers[count++] = page;
    }
    skip("skipped: vm.max_map_count is above %d", FILLER_MAX);
}

static void mappings_exhausted(void)
{
    static struct held large[LARGE_BLOCKS], small[1000];
    struct held none;

    for (size_t i = 0; i < LARGE_BLOCKS; i++) {
        EXPECT(hold(&large[i], 128 * KIB), "malloc gave NULL");
    }
    size_t count = exhaust_mappings();
    mark(MARK_BEGIN);
    /* To unmap one of many adjacent blocks splits a mapping, which the kernel refuses now. */
    for (size_t i = 0; i < LARGE_BLOCKS; i += 2) {
        drop(&large[i]);
    }
    for (size_t i = 0; i < 1000; i++) {
        hold(&small[i], 16 + i * 3);
    }
    for (size_t i = 0; i < LARGE_BLOCKS; i += 4) {
        hold(&large[i], 128 * KIB);
    }
    hold(&none, 100 * MIB);
    if (none.address != NULL) {
        drop(&none);
    }
    expect_sound("without mappings");
    mark(MARK_END);
    for (size_t i = 0; i < count; i++) {
        munmap(fillers[i], 4096);
    }
    for (size_t i = 0; i < 1000; i++) {
        if (small[i].address != NULL) {
            drop(&small[i]);
        }
        EXPECT(hold(&small[i], 5000 + i), "malloc gives NULL when mappings can be had again");
    }
    for (size_t i = 0; i < LARGE_BLOCKS; i++) {
        if (large[i].address != NULL) {
            drop(&large[i]);
        }
        EXPECT(hold(&large[i], 128 * KIB), "malloc gives NULL when mappings can be had again");
    }
    for (size_t i = 0; i < 1000; i++) {
        drop(&small[i]);
    }
    for (size_t i = 0; i < LARGE_BLOCKS; i++) {
        drop(&large[i]);
    }
    exercise(2, 0);
}

/* More large blocks than the kernel allows mappings, then every other one freed: holes that need a mapping each. */
enum { TOO_MANY = 145000 };

static void more_large_blocks_than_mappings(void)
{
    static unsigned char *blocks[TOO_MANY];
    size_t count = 0;

    while (count < TOO_MANY && (blocks[count] = malloc(128 * KIB)) != NULL) {
        blocks[count][0] = (unsigned char)count;
        count++;
    }
    EXPECT(count == TOO_MANY, "only %zu blocks of 128 KiB", count);
    for (int half = 0; half < 2; half++) {
        for (size_t i = (size_t)half; i < count; i += 2) {
            EXPECT(blocks[i][0] == (unsigned char)i, "contents of block %zu lost", i);
            errno = 12345;
            free(blocks[i]);
            EXPECT(errno == 12345, "free changed errno to %d", errno);
        }
        exercise(1, 0);
        expect_sound("after half of the blocks were freed");
    }
}

/*
 * No limit, but the kernel's habit of giving the address that one thread has just left to the next: a mapping that
 * moves (mremap) must be forgotten before its old place can be another thread's.
 */
static void *move_mappings(void *arg)
{
    static struct held all[EXERCISERS][100];
    struct held *blocks = all[(uintptr_t)arg];
    uint64_t random = (uintptr_t)arg + 1;

    for (int i = 0; i < 8000; i++) {
        struct held *block = &blocks[next_random(&random) % 100];
        size_t size = 1 + next_random(&random) % 250000;
        if (block->address != NULL && i % 2 == 0) {
            drop(block);
        } else {
            EXPECT(resize(block, size), "a request of %zu bytes gave NULL", size);
        }
    }
    for (size_t i = 0; i < 100; i++) {
        if (blocks[i].address != NULL) {
            drop(&blocks[i]);
        }
    }
    return NULL;
}

static void mappings_move_beside_threads(void)
{
    pthread_t threads[EXERCISERS];

    for (size_t i = 0; i < EXERCISERS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, move_mappings, (void *)(uintptr_t)i) == 0, "no thread");
    }
    for (size_t i = 0; i < EXERCISERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* The limits program's caller sets vm.overcommit_memory and restores it: see overcommit.sh. */
static void overcommit_never(void)
{
    FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
    int value = 0;

    if (file == NULL || fscanf(file, "%d", &value) != 1 || value != 2) {
        skip("skipped: vm.overcommit_memory is not 2");
    }
    fclose(file);
    exercise_in_threads();
    exercise(2, 0);
}

const struct limit_test size_tests[] = {
    {"address_space_64m", address_space_64m, limit_address_space, 64 * MIB},
    {"address_space_192m", address_space_192m, limit_address_space, 192 * MIB},
    {"address_space_512m", address_space_512m, limit_address_space, 512 * MIB},
    {"address_space_128m_threads", exercise_in_threads, limit_address_space, 128 * MIB},
    {"address_space_512m_threads", exercise_in_threads, limit_address_space, 512 * MIB},
    {"data_32m", data_32m, limit_data, 32 * MIB},
    {"data_64m_threads", exercise_in_threads, limit_data, 64 * MIB},
    {"data_lowered", data_lowered, NULL, 0},
    {"mappings_move_beside_threads", mappings_move_beside_threads, NULL, 0},
    {"mappings_exhausted", mappings_exhausted, NULL, 0},
    {"more_large_blocks_than_mappings", more_large_blocks_than_mappings, NULL, 0},
    {"overcommit_never", overcommit_never, NULL, 0},
    {NULL, NULL, NULL, 0},
};
