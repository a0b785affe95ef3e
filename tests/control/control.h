/*
 * control.h - what the programs of this folder share: a check that says what was wrong, memory by the kernel's word and
 * by the account's, random numbers that are the same in every run.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <freehold.h>

enum { SKIPPED = 77 };

#define CHECK(condition, ...)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);    \
            fprintf(stderr, __VA_ARGS__);                                      \
            fprintf(stderr, "\n");                                             \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static inline void complain(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s at %#zx: %s\n", invariant, (size_t)address, text);
}

/* Every invariant, and with A1 the account to the byte. */
#define CHECK_SOUND() CHECK(fh_check(complain, NULL) == 0, "invariants")

static inline struct fh_account account(void)
{
    struct fh_account account;
    fh_account_read(&account);
    return account;
}

/* What the heap has in memory, as the account knows it. */
static inline size_t held_bytes(void)
{
    struct fh_account now = account();
    return now.obtained_bytes - now.returned_bytes - now.untouched_bytes;
}

static inline size_t resident_bytes(void)
{
    char text[100] = "";
    size_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY);

    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && sscanf(text, "%*u %zu", &pages) == 1, "no statm");
    close(fd);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((*seed >> 33) % limit);
}

#endif
