/*
 * standin_entries.c - the functions of <stdlib.h> and <malloc.h> on top of the stand-in's heap.
 */
#define _GNU_SOURCE
#include "standin.h"

void *malloc(size_t size)
{
    return standin_take(size);
}

void free(void *block)
{
    /* What posix_memalign moved forward has a second header that says by how much. */
    if (block != NULL && ((uint64_t *)block)[-1] == MOVED) {
        block = (char *)block - ((uint64_t *)block)[-2];
    }
    standin_give(block);
}

void *calloc(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(total);
    if (block != NULL && !defect("dirty_calloc")) {
        memset(block, 0, total);
    }
    return block;
}

void *realloc(void *block, size_t size)
{
    if (block == NULL) {
        return malloc(size);
    }
    size_t old = malloc_usable_size(block);
    void *moved = malloc(size);
    if (moved != NULL) {
        memcpy(moved, block, old < size ? old : size);
        free(block);
    }
    return moved;
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    if (alignment <= 16) {
        void *block = malloc(size);
        *result = block == NULL ? *result : block;
        return block == NULL ? ENOMEM : 0;
    }
    if (size > SIZE_MAX - alignment - 16) {
        return ENOMEM;
    }
    char *block = malloc(size + alignment + 16);
    if (block == NULL) {
        return ENOMEM;
    }
    char *aligned = (char *)(((uintptr_t)block + 16 + alignment - 1) & ~(uintptr_t)(alignment - 1));
    ((uint64_t *)aligned)[-1] = MOVED;
    ((uint64_t *)aligned)[-2] = (uint64_t)(aligned - block);
    *result = aligned;
    return 0;
}

void *memalign(size_t alignment, size_t size)
{
    void *block = NULL;
    int error = posix_memalign(&block, alignment, size);

    if (error != 0) {
        errno = error;
    }
    return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

void *valloc(size_t size)
{
    return memalign(4096, size);
}

void *pvalloc(size_t size)
{
    return memalign(4096, (size + 4095) & ~(size_t)4095);
}
