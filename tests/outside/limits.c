/*
 * limits.c - runs one test of a process that is kept short; see limits.h.
 *
 *   limits --library LIBRARY TEST [NAME=VALUE…]   ("system": the malloc of libc)
 *   limits --prove STANDIN                        the stand-in's defects are seen
 *   limits --list
 * Status: 0 passed, 1 failed, 77 cannot run here.
 */
#define _GNU_SOURCE
#include "limits.h"

#include "mark.h"
#include "tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 200 };

static const struct limit_test *const groups[] = {filter_tests, size_tests, break_tests, lock_tests};

#define FOR_TESTS(test)                                                       \
    for (size_t group_ = 0; group_ < sizeof groups / sizeof *groups; group_++) \
        for (const struct limit_test *test = groups[group_]; test->name != NULL; test++)

static void exercise_once(struct held *blocks, uint64_t *random)
{
    struct held *block = &blocks[next_random(random) % SLOTS];
    uint64_t dice = next_random(random);
    size_t size = (size_t)1 << (dice >> 8) % 18;
    bool got = true;

    size += (dice >> 16) % size;
    if (block->address != NULL && dice % 8 < 4) {
        drop(block);
    } else if (block->address != NULL) {
        got = resize(block, size);
    } else if (dice % 8 < 5) {
        got = hold(block, size);
    } else if (dice % 8 < 7) {
        got = hold_zeroed(block, size);
    } else {
        got = hold_aligned(block, (size_t)16 << (dice >> 32) % 10, size);
    }
    EXPECT(got, "a request of %zu bytes gave NULL", size);
}

void exercise(unsigned rounds, unsigned seed)
{
    static struct held all[EXERCISERS][SLOTS];
    struct held *blocks = all[seed % EXERCISERS];
    uint64_t random = seed + 1;

    for (unsigned round = 0; round < rounds; round++) {
        for (int i = 0; i < 2000; i++) {
            exercise_once(blocks, &random);
        }
        for (size_t i = 0; i < SLOTS; i += 1 + round % 2) {
            if (blocks[i].address != NULL) {
                drop(&blocks[i]);
            }
        }
        if (round % 3 == 2) {
            flush_cache();
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (blocks[i].address != NULL) {
            drop(&blocks[i]);
        }
    }
}

/* The blocks form a list through their first words, so that the test needs no memory of its own. */
size_t fill_up(size_t size, size_t limit_bytes)
{
    struct link {
        struct link *next;
        size_t check;
    };
    struct link *list = NULL;
    size_t count = 0;

    while (count * size < limit_bytes) {
        errno = 0;
        struct link *link = malloc(size);
        if (link == NULL) {
            EXPECT(errno == ENOMEM, "malloc of %zu gave NULL with errno %d", size, errno);
            break;
        }
        memset(link, (int)count, size);
        link->next = list;
        link->check = count++;
        list = link;
    }
    for (size_t left = count; left-- > 0;) {
        struct link *link = list;
        EXPECT(link != NULL && link->check == left, "the list of blocks of %zu bytes is broken", size);
        unsigned char *last = (unsigned char *)link + size - 1;
        EXPECT(size == sizeof *link || *last == (unsigned char)left, "contents of a block of %zu bytes lost", size);
        list = link->next;
        errno = 12345;
        free(link);
        EXPECT(errno == 12345, "free changed errno to %d", errno);
    }
    return count * size;
}

struct setting {
    int (*before_exec)(void *arg);
    uintptr_t arg;
};

static int apply(void *arg)
{
    struct setting *setting = arg;

    return setting->before_exec == NULL ? 0 : setting->before_exec((void *)setting->arg);
}

static int run_test(const struct limit_test *test, const char *library, const char *const *extra)
{
    static char self[] = "/proc/self/exe";
    static char option[] = "--program";
    char *argv[] = {self, option, (char *)(uintptr_t)test->name, NULL};
    struct setting setting = {test->before_exec, test->arg};
    struct trace_request request = {.argv = argv, .library = library, .extra = extra, .before_exec = apply,
                                    .before_exec_arg = &setting, .limit_s = 240, .ignore_calls = true,
                                    .fault = {.only_number = -1}};
    struct trace trace;

    if (trace_run(&request, &trace) != 0) {
        return EXIT_SKIP;
    }
    fputs(trace.output, stderr);
    if (trace.end == TRACE_EXITED && (trace.code == 0 || trace.code == EXIT_SKIP)) {
        return trace.code;
    }
    fprintf(stderr, "%s: %s %d\n", test->name,
            trace.end == TRACE_HUNG     ? "hung,"
            : trace.end == TRACE_EXITED ? "ended with status"
                                        : "died of signal",
            trace.code);
    return 1;
}

static const struct limit_test *find_test(const char *name)
{
    FOR_TESTS(test) {
        if (strcmp(test->name, name) == 0) {
            return test;
        }
    }
    fprintf(stderr, "no test \"%s\"\n", name);
    exit(2);
}

static int prove(const char *stand_in)
{
    static const struct {
        const char *test, *defect;
    } cases[] = {
        {"foreign_sbrk", ""},
        {"foreign_sbrk", "break_is_mine"},
        {"obstructed_break", ""},
        {"obstructed_break", "no_fallback"},
        {"seccomp_munmap_denied", ""},
        {"seccomp_munmap_denied", "dirty_errno"},
        {"address_space_64m", "silent"},
    };
    int wrong = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char defect[64];
        const char *extra[] = {defect, NULL};
        snprintf(defect, sizeof defect, "STANDIN_DEFECT=%s", cases[i].defect);
        bool passed = run_test(find_test(cases[i].test), stand_in, extra) == 0;
        bool right = passed == (cases[i].defect[0] == '\0');
        printf("%s with \"%s\": %s\n", cases[i].test, cases[i].defect, right ? "as it should be" : "WRONG");
        wrong += !right;
    }
    return wrong != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--program") == 0) {
        mark(MARK_MAIN);
        find_test(argv[2])->program();
        mark(MARK_END);
        expect_sound("at the end");
        return 0;
    }
    if (argc >= 4 && strcmp(argv[1], "--library") == 0) {
        return run_test(find_test(argv[3]), strcmp(argv[2], "system") == 0 ? NULL : argv[2],
                        (const char *const *)(argv + 4));
    }
    if (argc == 3 && strcmp(argv[1], "--prove") == 0) {
        return prove(argv[2]);
    }
    FOR_TESTS(test) {
        puts(test->name);
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
