/*
 * known.c - a known row of calls between two marks, for known.sh.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MARK_BYTES = 77777, PAGE = 4096 };

typedef void *new_fn(size_t);
typedef void delete_fn(void *);
typedef void *new_aligned_fn(size_t, size_t);
typedef void delete_aligned_fn(void *, size_t, size_t);

static void operators(void)
{
    new_fn *new_array = (new_fn *)dlsym(RTLD_DEFAULT, "_Znam");
    delete_fn *delete_array = (delete_fn *)dlsym(RTLD_DEFAULT, "_ZdaPv");
    new_aligned_fn *new_aligned = (new_aligned_fn *)dlsym(RTLD_DEFAULT, "_ZnwmSt11align_val_t");
    delete_aligned_fn *delete_aligned = (delete_aligned_fn *)dlsym(RTLD_DEFAULT, "_ZdlPvmSt11align_val_t");
    if (!new_array || !delete_array || !new_aligned || !delete_aligned)
        exit(3);
    void *a = new_array(33), *b = new_aligned(100, 128);
    delete_array(a);
    delete_aligned(b, 100, 128);
}

static void large(void)
{
    char *block = malloc(1 << 20); /* touched: 3 pages, and the one that the block begins in the middle of */
    memset(block, 1, 3 * PAGE);
    block = realloc(block, 2 << 20);
    free(block);
}

int main(void)
{
    void *a, *b, *c, *d;
    volatile size_t too_much = PTRDIFF_MAX;
    free(malloc(1)); /* whatever libc does at first */
    a = malloc(MARK_BYTES);
    b = malloc(40);
    c = calloc(3, 50);
    b = realloc(b, 400);
    d = aligned_alloc(64, 128);
    free(c);
    if (realloc(b, 0))
        return 1;
    b = realloc(NULL, 9);
    b = reallocarray(b, 3, 7);
    malloc_usable_size(b);
    free(NULL);
    c = malloc(0);
    if (malloc(too_much) || calloc(too_much, 2) || realloc(c, too_much))
        return 1;
    free(d);
    if (posix_memalign(&d, PAGE, 100) != 0)
        return 1;
    free(b);
    b = memalign(48, 10);
    for (size_t size = 100; size < 100000; size *= 10)
        c = realloc(c, size);
    malloc_trim(0);
    free(d);
    free(b);
    free(c);
    operators();
    large();
    b = malloc(MARK_BYTES);
    free(b);
    free(a);
    return 0;
}
