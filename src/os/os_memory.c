/*
 * os_memory.c - the memory half of os.h: break, mappings, random bytes.
 *
 * Layer: os. Owns the one copy of the page size.
 */
#define _GNU_SOURCE 1
#include "os.h"

#include <sys/auxv.h>
#include <sys/mman.h>

#include "atomics.h"
#include "syscalls.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

size_t fh_os_page_size(void)
{
    static size_t page_size;
    size_t known = fh_load_relaxed(&page_size);
    if (FH_LIKELY(known)) return known;
    known = getauxval(AT_PAGESZ);
    if (!fh_is_power_of_two(known)) known = 4096;
    fh_store_relaxed(&page_size, known);
    return known;
}

/*
 * libc's sbrk(3) keeps the break in this variable and would move it from a stale value, below our heap, if we moved
 * the break behind its back. glibc exports it; weak, because musl does not have it.
 */
extern void *__curbrk __attribute__((weak));

char *fh_os_break(void)
{
    if (&__curbrk && __curbrk) return __curbrk;
    long result = fh_syscall1(SYS_brk, 0);
    return fh_syscall_failed(result) || result == 0 ? NULL : (char *)result;
}

bool fh_os_break_move(char *to)
{
    /* The system call returns the break as it is afterwards (brk(2), "C library/kernel differences"); a seccomp filter
     * makes it return an error number instead, which libc takes for an address. */
    long result = fh_syscall1(SYS_brk, to);
    if (fh_syscall_failed(result) || (char *)result != to) return false;
    if (&__curbrk) __curbrk = to;
    return true;
}

void *fh_os_map(void *hint, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (hint ? MAP_FIXED_NOREPLACE : 0);
    long result = fh_syscall6(SYS_mmap, (long)hint, (long)size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (fh_syscall_failed(result)) return NULL;
    if (hint && (void *)result != hint) { /* a kernel before 4.17 takes the flag for a mere hint */
        fh_syscall2(SYS_munmap, result, size);
        return NULL;
    }
    return (void *)result;
}

bool fh_os_unmap(void *address, size_t size) { return fh_syscall2(SYS_munmap, address, size) == 0; }

bool fh_os_remap(void *address, size_t old_size, size_t new_size)
{
    return !fh_syscall_failed(fh_syscall4(SYS_mremap, address, old_size, new_size, 0));
}

bool fh_os_move(void *address, size_t old_size, void *target, size_t new_size)
{
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    return !fh_syscall_failed(
        fh_syscall6(SYS_mremap, (long)address, (long)old_size, (long)new_size, flags, (long)target, 0));
}

bool fh_os_discard(void *address, size_t size) { return fh_syscall3(SYS_madvise, address, size, MADV_DONTNEED) == 0; }

static uint64_t now_ns(void)
{
    enum { CLOCK_MONOTONIC_ID = 1 }; /* clock_gettime(2) */
    struct {
        int64_t s, ns;
    } now = {0, 0};
    fh_syscall2(SYS_clock_gettime, CLOCK_MONOTONIC_ID, &now);
    return (uint64_t)now.s * 1000000000 + (uint64_t)now.ns;
}

uint32_t fh_os_page_cost_ns(void)
{
    enum { PAGES = 8, ROUNDS = 3, LEAST_NS = 250, USUAL_NS = 2500, MOST_NS = 50000 };
    size_t page = fh_os_page_size(), bytes = PAGES * page;
    char *pages = fh_os_map(NULL, bytes);
    if (!pages) return USUAL_NS;
    uint64_t least = UINT64_MAX; /* of the rounds: the others were disturbed */
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns();
        for (size_t i = 0; i < bytes; i += page) *(volatile char *)(pages + i) = 1;
        fh_os_discard(pages, bytes);
        least = fh_min(least, now_ns() - start);
    }
    fh_os_unmap(pages, bytes);
    uint64_t ns = least / (bytes / 4096);
    return (uint32_t)fh_min(fh_max(ns, LEAST_NS), MOST_NS);
}

bool fh_os_advise_huge(void *address, size_t size, bool huge)
{
    return fh_syscall3(SYS_madvise, address, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) == 0;
}

bool fh_os_is_resident(void *page)
{
    unsigned char in_memory = 0;
    return fh_syscall3(SYS_mincore, page, fh_os_page_size(), &in_memory) == 0 && (in_memory & 1);
}

size_t fh_os_resident_within(void *address, size_t size)
{
    unsigned char in_memory[1024]; /* a byte a page (mincore(2)), the lowest bit */
    size_t page = fh_os_page_size(), pages = size / page, resident = 0;
    if (pages > sizeof in_memory || fh_syscall3(SYS_mincore, address, size, in_memory) != 0) return size;
    for (size_t i = 0; i < pages; i++) resident += in_memory[i] & 1;
    return resident * page;
}

/* futex(2): the operations for a word that only this process uses. */
enum { FUTEX_WAIT_PRIVATE = 0 | 128, FUTEX_WAKE_PRIVATE = 1 | 128 };

void fh_os_futex_wait(uint32_t *word, uint32_t expected)
{
    fh_syscall4(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, 0);
}

void fh_os_futex_wake(uint32_t *word, uint32_t count) { fh_syscall3(SYS_futex, word, FUTEX_WAKE_PRIVATE, count); }

void fh_os_pause_us(uint32_t microseconds)
{
    /* By futex(2) on a word that nobody wakes: no filter that lets us lock refuses it. */
    uint32_t word = 0;
    struct {
        int64_t s, ns;
    } time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    fh_syscall4(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time);
}

void fh_os_random(void *out, size_t size)
{
    enum { NONBLOCK = 1 }; /* GRND_NONBLOCK (getrandom(2)) */
    if (fh_syscall3(SYS_getrandom, out, size, NONBLOCK) == (long)size) return;
    /* Early boot, or a seccomp filter: the kernel's 16 bytes for this process, stirred with what differs by process.
     * AT_RANDOM also seeds libc's stack guard, so its bytes must not be found again in ours: the stirring multiplies.
     */
    const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
    uint64_t state = (uint64_t)(uintptr_t)&state ^ (uint64_t)fh_syscall0(SYS_getpid) << 40;
    for (size_t i = 0; i < size; i++) {
        state = (state + (seed ? seed[i % 16] : 0)) * 6364136223846793005ULL + 1442695040888963407ULL;
        state ^= (state * state) >> 29;
        ((unsigned char *)out)[i] = (unsigned char)(state >> 56);
    }
}
