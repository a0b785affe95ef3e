/*
 * work_library.c - workloads in which others call malloc: libc's own functions, the loader, operator new, and the
 * functions that report about the heap.
 */
#define _GNU_SOURCE
#include "work.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 1000 };

static struct held blocks[MANY];

static void strings(void)
{
    char source[3000];

    memset(source, 'x', sizeof source - 1);
    source[sizeof source - 1] = '\0';
    for (size_t i = 0; i < MANY; i++) {
        char *copy = i % 2 == 0 ? strdup(source + i) : strndup(source, i * 3);
        size_t length = i % 2 == 0 ? sizeof source - 1 - i : i * 3 < sizeof source ? i * 3 : sizeof source - 1;
        EXPECT(copy != NULL || errno == ENOMEM, "strdup gave NULL with errno %d", errno);
        if (copy != NULL) {
            EXPECT(strlen(copy) == length, "strdup's copy has %zu characters, not %zu", strlen(copy), length);
            adopt(&blocks[i], copy, length + 1);
        }
    }
    drop_held(blocks, MANY);
    for (int i = 0; i < 100; i++) {
        char *text = NULL;
        if (asprintf(&text, "%*d", i * 50, i) >= 0) {
            EXPECT(atoi(text) == i, "asprintf wrote \"%s\"", text);
            free(text);
        }
    }
}

static void streams(void)
{
    for (int round = 0; round < 5; round++) {
        char *text = NULL;
        size_t length = 0;
        FILE *memory = open_memstream(&text, &length);
        for (int i = 0; memory != NULL && i < 3000; i++) {
            if (fprintf(memory, "%d\n", i) < 0) {
                break;
            }
        }
        if (memory != NULL) {
            fclose(memory);
        }
        free(text);
        FILE *file = fopen("/proc/self/maps", "re");
        char *line = NULL;
        size_t room = 0;
        while (file != NULL && getline(&line, &room, file) > 0) {
        }
        free(line);
        if (file != NULL) {
            fclose(file);
        }
    }
}

static int compare_numbers(const void *one, const void *other)
{
    int a = *(const int *)one;
    int b = *(const int *)other;

    return (a > b) - (a < b);
}

/* glibc's qsort takes a buffer from malloc, and does without when there is none. */
static void sorting(void)
{
    static int numbers[60000];
    uint64_t random = 5;

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 60000; i++) {
            numbers[i] = (int)next_random(&random);
        }
        qsort(numbers, 60000, sizeof *numbers, compare_numbers);
        for (size_t i = 1; i < 60000; i++) {
            EXPECT(numbers[i - 1] <= numbers[i], "qsort did not sort");
        }
    }
}

static void loading(void)
{
    for (int round = 0; round < 5; round++) {
        void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
        if (library != NULL) {
            EXPECT(dlsym(library, "cos") != NULL, "no cos in libm");
            EXPECT(dlsym(library, "no_such_symbol_anywhere") == NULL, "a symbol that does not exist");
            dlclose(library);
        }
        dlerror();
    }
}

static void operators(void)
{
    typedef void *new_function(size_t, const void *);
    typedef void delete_function(void *);
    new_function *nothrow_new = (new_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "_ZnwmRKSt9nothrow_t");
    delete_function *delete = (delete_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "_ZdlPv");
    static const char nothrow;

    if (nothrow_new == NULL || delete == NULL) {
        return;
    }
    for (size_t i = 0; i < MANY; i++) {
        void *block = nothrow_new(i * i, &nothrow);
        if (block != NULL) {
            adopt(&blocks[i], block, i * i);
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        if (blocks[i].address != NULL) {
            verify(&blocks[i]);
            delete(blocks[i].address);
            blocks[i].address = NULL;
        }
    }
}

static void reports(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int saved = dup(STDERR_FILENO);
    FILE *sink = fopen("/dev/null", "we");

    for (int round = 0; round < 10; round++) {
        churn(blocks, 300, 300, 1, 200000, (uint64_t)round + 101);
        mallinfo2();
        if (sink != NULL) {
            EXPECT(malloc_info(0, sink) == 0, "malloc_info failed");
        }
        dup2(null, STDERR_FILENO);
        malloc_stats();
        dup2(saved, STDERR_FILENO);
        for (size_t i = 0; i < 300; i++) {
            EXPECT(blocks[i].address == NULL || malloc_usable_size(blocks[i].address) >= blocks[i].size,
                   "malloc_usable_size is less than what was asked for");
        }
    }
    drop_held(blocks, 300);
    if (sink != NULL) {
        fclose(sink);
    }
    close(null);
    close(saved);
}

/* What can be asked of the library beyond malloc: moving what is hinted, purging, limits that are reached. */
static void moving(void)
{
    void *(*move)(void *) = (void *(*)(void *))(uintptr_t)dlsym(RTLD_DEFAULT, "fh_move");
    size_t (*purge)(void) = (size_t (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT, "fh_purge");
    int (*set_limit)(size_t, size_t) = (int (*)(size_t, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "fh_set_limit");
    static struct held many[8000];

    if (move == NULL || purge == NULL || set_limit == NULL) {
        return;
    }
    for (size_t round = 0; round < 3; round++) {
        size_t from = round == 1 ? 400 : 60, to = round == 1 ? 700 : 64;
        for (size_t i = 0; i < 8000; i++) {
            hold(&many[i], from + i % (to - from));
        }
        for (size_t i = 0; i < 8000; i++) {
            if (i % 4 != 0 && many[i].address != NULL) {
                drop(&many[i]);
            }
        }
        if (round == 2) {
            set_limit(1 << 20, 4 << 20);
        }
        for (size_t i = 0; i < 8000; i++) {
            void *moved = many[i].address == NULL ? NULL : move(many[i].address);
            if (moved != NULL) {
                many[i].address = moved;
                verify(&many[i]);
            }
        }
        purge();
        drop_held(many, 8000);
    }
    churn(blocks, 300, 600, 1, 60000, 77);
    drop_held(blocks, 300);
    set_limit(0, 0);
}

const struct workload library_workloads[] = {
    {"strings", strings},
    {"streams", streams},
    {"sorting", sorting},
    {"loading", loading},
    {"operators", operators},
    {"reports", reports},
    {"moving", moving},
    {NULL, NULL},
};
