/*
 * bugs.h - what every program in this folder shares: checks that need no memory, the way to skip, RSS, and a way to
 * ask the running allocator whether its heap is sound.
 *
 * The programs do not link the library: it is preloaded, as a user would. bugs_start() fails when it is not there, so
 * that a broken preload can never look like success. FH_TEST_ANY_MALLOC=1 lifts that: the same programs then say
 * what another malloc does, which is how the programs themselves are tested.
 */
#ifndef FREEHOLD_TESTS_BUGS_H
#define FREEHOLD_TESTS_BUGS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "freehold.h"

#define BUGS_SKIP 77

/* A failed check writes one line and ends the process; it must work in a process that has no memory left. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            bugs_fail(__FILE__, __LINE__, #condition);                                                                 \
    } while (0)

/* The same with two numbers that say what was seen. */
#define CHECK_NUMBERS(condition, a, b)                                                                                 \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            bugs_fail_numbers(__FILE__, __LINE__, #condition, (unsigned long long)(a), (unsigned long long)(b));       \
    } while (0)

__attribute__((noreturn, unused)) static void bugs_fail_numbers(const char *file, int line, const char *text,
                                                                unsigned long long a, unsigned long long b)
{
    char out[512];
    int length = snprintf(out, sizeof out, "%s:%d: not so: %s (%llu = 0x%llx, %llu = 0x%llx)\n", file, line, text, a,
                          a, b, b);

    if (length > (int)sizeof out - 1)
        length = (int)sizeof out - 1;
    (void)!write(2, out, (size_t)length);
    _exit(1);
}

__attribute__((noreturn, unused)) static void bugs_fail(const char *file, int line, const char *text)
{
    char out[512];
    int length = snprintf(out, sizeof out, "%s:%d: not so: %s (errno %d)\n", file, line, text, errno);

    if (length > (int)sizeof out - 1)
        length = (int)sizeof out - 1;
    (void)!write(2, out, (size_t)length);
    _exit(1);
}

__attribute__((noreturn, unused)) static void bugs_skip(const char *why)
{
    printf("skipped: %s\n", why);
    fflush(stdout);
    _exit(BUGS_SKIP);
}

/* Hides a pointer or a size from the compiler, which would otherwise remove or complain about what is tested here. */
__attribute__((unused)) static void *bugs_hide(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

__attribute__((unused)) static size_t bugs_hide_size(size_t n)
{
    __asm__ volatile("" : "+r"(n) : : "memory");
    return n;
}

__attribute__((unused)) static int bugs_any_malloc(void)
{
    return getenv("FH_TEST_ANY_MALLOC") != NULL;
}

__attribute__((unused)) static void bugs_start(void)
{
    if (!bugs_any_malloc() && dlsym(RTLD_DEFAULT, "fh_version") == NULL) {
        fputs("the library is not preloaded: this would test another malloc\n", stderr);
        _exit(1);
    }
}

__attribute__((unused)) static void bugs_violation(const char *invariant, uintptr_t address, const char *text,
                                                   void *arg)
{
    char out[256];
    int length = snprintf(out, sizeof out, "invariant %s broken at 0x%llx: %s\n", invariant,
                          (unsigned long long)address, text);

    (void)arg;
    (void)!write(2, out, (size_t)length < sizeof out ? (size_t)length : sizeof out - 1);
}

typedef size_t bugs_check_fn(fh_check_fn *report, void *arg);

/* Found once, while dlsym is safe to call, so that signal handlers and children can use it. */
__attribute__((unused)) static bugs_check_fn *bugs_find_check(void)
{
    bugs_check_fn *check = NULL;

    *(void **)&check = dlsym(RTLD_DEFAULT, "fh_check");
    return check;
}

/* The heap must be sound. No other thread may be inside the allocator. */
#define bugs_sound() bugs_sound_at(__FILE__, __LINE__)

__attribute__((unused)) static void bugs_sound_at(const char *file, int line)
{
    bugs_check_fn *check = bugs_find_check();

    if (check != NULL && check(bugs_violation, NULL) != 0)
        bugs_fail(file, line, "fh_check() == 0");
}

__attribute__((unused)) static size_t bugs_rss_kib(void)
{
    char text[128];
    unsigned long total_pages = 0;
    unsigned long resident_pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);

    close(fd);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK(sscanf(text, "%lu %lu", &total_pages, &resident_pages) == 2);
    return resident_pages * ((size_t)sysconf(_SC_PAGESIZE) / 1024);
}

/* A small generator with its seed in the caller's hands: every run does the same. */
__attribute__((unused)) static uint32_t bugs_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* A size that visits slabs, chunks and, now and then, mappings. */
__attribute__((unused)) static size_t bugs_random_size(uint64_t *state)
{
    uint32_t kind = bugs_random(state) % 128;

    if (kind < 96)
        return bugs_random(state) % 257;
    if (kind < 127)
        return 257 + bugs_random(state) % 16384;
    return 131072 + bugs_random(state) % 65536;
}

/* Fills a block with bytes that say which block it is; bugs_kept() sees whether they are all still there. */
__attribute__((unused)) static void bugs_mark(void *p, size_t n, unsigned mark)
{
    memset(p, (int)(mark & 0xff), n);
}

__attribute__((unused)) static int bugs_kept(const void *p, size_t n, unsigned mark)
{
    const unsigned char *bytes = p;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != (unsigned char)mark)
            return 0;
    return 1;
}

/* Waits for a child and answers its exit status, or 1000 + the signal that ended it. */
__attribute__((unused)) static int bugs_wait(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The count of repetitions: the first argument, or what the default run does. */
__attribute__((unused)) static long bugs_count(int argc, char **argv, long standard)
{
    return argc > 1 ? strtol(argv[1], NULL, 10) : standard;
}

#endif /* FREEHOLD_TESTS_BUGS_H */
