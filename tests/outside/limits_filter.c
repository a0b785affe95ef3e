/*
 * limits_filter.c - seccomp filters that deny what a malloc calls: from before the library starts, or later.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "mark.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

#if defined(__x86_64__)
#define AUDIT_HERE AUDIT_ARCH_X86_64
#else
#define AUDIT_HERE AUDIT_ARCH_AARCH64
#endif

enum { CALLS_MAX = 4 };

/* From now on the calls (up to four, 0 for none) fail with the error, in all threads. 0 on success. */
static int deny(const long *calls, size_t count, int error)
{
    struct sock_filter program[4 + 2 * CALLS_MAX + 1];
    unsigned short length = 0;

    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_HERE, 1, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {length, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

static int deny_one(long call, int error)
{
    return deny(&call, 1, error);
}

static int deny_brk_at_start(void *arg)
{
    return deny_one(SYS_brk, (int)(uintptr_t)arg);
}

static int deny_getrandom_at_start(void *arg)
{
    return deny_one(SYS_getrandom, (int)(uintptr_t)arg);
}

static pthread_barrier_t filter_set;

static void *exercise_in_thread(void *arg)
{
    (void)arg;
    exercise(1, 1); /* before the filter: the thread's stack is made and its cache has begun */
    pthread_barrier_wait(&filter_set);
    pthread_barrier_wait(&filter_set);
    exercise(6, 1);
    return NULL;
}

/* Two threads at work when the filter comes. */
static void exercise_around(const long *calls, size_t count, int error)
{
    pthread_t thread;

    pthread_barrier_init(&filter_set, NULL, 2);
    EXPECT(pthread_create(&thread, NULL, exercise_in_thread, NULL) == 0, "no thread");
    exercise(1, 0);
    pthread_barrier_wait(&filter_set);
    if (count > 0 && deny(calls, count, error) != 0) {
        skip("skipped: this kernel or container allows no seccomp filter");
    }
    mark(MARK_BEGIN);
    pthread_barrier_wait(&filter_set);
    exercise(6, 0);
    pthread_join(thread, NULL);
    mark(MARK_END);
    expect_sound("under the filter");
}

static void exercise_from_start(void)
{
    if (prctl(PR_GET_SECCOMP) != 2) {
        skip("skipped: this kernel or container allows no seccomp filter");
    }
    exercise_around(NULL, 0, 0);
}

static void brk_denied_later(void)
{
    exercise_around((const long[]){SYS_brk}, 1, EPERM);
}

static void mprotect_denied(void)
{
    exercise_around((const long[]){SYS_mprotect}, 1, EPERM);
}

static void munmap_denied(void)
{
    exercise_around((const long[]){SYS_munmap}, 1, EPERM);
}

static void madvise_denied(void)
{
    exercise_around((const long[]){SYS_madvise}, 1, EPERM);
}

static void mremap_denied(void)
{
    exercise_around((const long[]){SYS_mremap}, 1, ENOSYS);
}

static void all_giving_back_denied(void)
{
    exercise_around((const long[]){SYS_mprotect, SYS_munmap, SYS_madvise, SYS_mremap}, 4, EPERM);
}

/* Nothing comes any more: what is there must last, then NULL with ENOMEM, and what is held stays as it is. */
static void all_taking_denied(void)
{
    struct held kept[50], none;

    for (size_t i = 0; i < 50; i++) {
        EXPECT(hold(&kept[i], i * 3000), "malloc gave NULL");
    }
    if (deny((const long[]){SYS_brk, SYS_mmap, SYS_mremap}, 3, ENOMEM) != 0) {
        skip("skipped: this kernel or container allows no seccomp filter");
    }
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        size_t first = fill_up(size < 16 ? 16 : size, 1 << 30);
        size_t again = fill_up(size < 16 ? 16 : size, 1 << 30);
        EXPECT(again >= first - first / 4, "blocks of %zu: %zu bytes at first, then %zu", size, first, again);
    }
    EXPECT(!hold(&none, 10 << 20), "10 MiB out of nothing");
    for (size_t i = 0; i < 50; i++) {
        drop(&kept[i]);
    }
}

const struct limit_test filter_tests[] = {
    {"seccomp_no_brk_eperm", exercise_from_start, deny_brk_at_start, EPERM},
    {"seccomp_no_brk_enosys", exercise_from_start, deny_brk_at_start, ENOSYS},
    {"seccomp_no_getrandom", exercise_from_start, deny_getrandom_at_start, ENOSYS},
    {"seccomp_brk_denied_later", brk_denied_later, NULL, 0},
    {"seccomp_mprotect_denied", mprotect_denied, NULL, 0},
    {"seccomp_munmap_denied", munmap_denied, NULL, 0},
    {"seccomp_madvise_denied", madvise_denied, NULL, 0},
    {"seccomp_mremap_denied", mremap_denied, NULL, 0},
    {"seccomp_all_giving_back_denied", all_giving_back_denied, NULL, 0},
    {"seccomp_all_taking_denied", all_taking_denied, NULL, 0},
    {NULL, NULL, NULL, 0},
};
