/*
 * limits_lock.c - mlockall: MADV_DONTNEED fails on locked pages, so that memory given back is not zero, and new memory
 * counts against RLIMIT_MEMLOCK.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "mark.h"

#include <linux/capability.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { KIB = 1024, MIB = 1024 * 1024, COUNT = 2000 };

static struct held blocks[COUNT];

/* Dirty everything, give it back as far as it goes, and see that calloc is not deceived. */
static void calloc_after_giving_back(void)
{
    static const size_t sizes[] = {40, 200, 256, 1000, 4000, 20000, 70000, 131072};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t size = sizes[s];
        size_t count = 8 * MIB / size < COUNT ? 8 * MIB / size : COUNT;
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < count; i++) {
                EXPECT(hold(&blocks[i], size), "malloc gave NULL");
                memset(blocks[i].address, 0xa5, size);
                fill(&blocks[i]);
            }
            for (size_t i = 0; i < count; i++) {
                drop(&blocks[round == 1 ? count - 1 - i : i]);
            }
            malloc_trim(0);
            for (size_t i = 0; i < count; i++) {
                EXPECT(hold_zeroed(&blocks[i], size), "calloc gave NULL"); /* checks every byte */
            }
            for (size_t i = 0; i < count; i++) {
                drop(&blocks[i]);
            }
        }
    }
}

static void lock_everything(int flags)
{
    if (mlockall(flags) != 0) {
        skip("skipped: mlockall is not allowed here (errno %d)", errno);
    }
}

static void locked_memory(void)
{
    exercise(2, 0);
    lock_everything(MCL_CURRENT | MCL_FUTURE);
    mark(MARK_BEGIN);
    calloc_after_giving_back();
    exercise(4, 0);
    munlockall();
    calloc_after_giving_back();
}

static void locked_on_fault(void)
{
    lock_everything(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    calloc_after_giving_back();
    exercise(4, 0);
}

/* A program that locks its first part only: the rest behaves, so the two must not be confused. */
static void locked_in_part(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        EXPECT(hold(&blocks[i], 3000), "malloc gave NULL");
    }
    lock_everything(MCL_CURRENT);
    for (size_t i = 0; i < COUNT; i++) {
        drop(&blocks[i]);
    }
    malloc_trim(0);
    calloc_after_giving_back();
    exercise(4, 0);
}

/* Without the capability the limit counts. */
static void drop_lock_capability(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    EXPECT(syscall(SYS_capget, &header, data) == 0, "capget failed");
    data[0].effective &= ~(1u << CAP_IPC_LOCK);
    data[0].permitted &= ~(1u << CAP_IPC_LOCK);
    EXPECT(syscall(SYS_capset, &header, data) == 0, "capset failed");
}

static int limit_locked(void *arg)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        return -1;
    }
    if (limit.rlim_max > (uintptr_t)arg) { /* may be less already, and only the privileged can raise it */
        limit.rlim_max = (uintptr_t)arg;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_MEMLOCK, &limit);
}

static void locked_memory_limited(void)
{
    struct held kept[50];
    struct rlimit limit;

    getrlimit(RLIMIT_MEMLOCK, &limit);
    drop_lock_capability();
    for (size_t i = 0; i < 50; i++) {
        EXPECT(hold(&kept[i], i * 1000), "malloc gave NULL");
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0 && mlockall(MCL_FUTURE) != 0) {
        skip("skipped: mlockall is not allowed here (errno %d)", errno);
    }
    mark(MARK_BEGIN);
    for (size_t size = 16; size < 2 * MIB; size *= 5) {
        size_t first = fill_up(size, 1 << 30);
        size_t again = fill_up(size, 1 << 30);
        EXPECT(first >= limit.rlim_cur / 4, "blocks of %zu: %zu KiB of %zu KiB that may be locked", size, first / KIB,
               (size_t)limit.rlim_cur / KIB);
        /* At first there is some address space of before that counts for nothing. */
        size_t most = first < limit.rlim_cur ? first : limit.rlim_cur;
        EXPECT(again >= most - most / 4, "blocks of %zu: %zu bytes at first, then %zu", size, first, again);
    }
    for (size_t i = 0; i < 50; i++) {
        drop(&kept[i]);
    }
    munlockall();
    exercise(2, 0);
}

const struct limit_test lock_tests[] = {
    {"locked_memory", locked_memory, NULL, 0},
    {"locked_on_fault", locked_on_fault, NULL, 0},
    {"locked_in_part", locked_in_part, NULL, 0},
    {"locked_memory_limited", locked_memory_limited, limit_locked, 64 * MIB},
    {NULL, NULL, NULL, 0},
};
