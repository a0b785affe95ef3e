/*
 * api.h - what the files of the api layer share: how entry points are named, and their declarations.
 *
 * Layer: api. A build with FH_PREFIXED defines fh_test_malloc and so on, beside the system's malloc: for sanitizers,
 * valgrind and unit tests.
 */
#ifndef FH_API_H
#define FH_API_H

#include "base.h"

#if defined(FH_PREFIXED) && FH_PREFIXED
#define FH_API(name) fh_test_##name
#else
#define FH_API(name) name
#endif

void *FH_API(malloc)(size_t size);
void FH_API(free)(void *pointer);
void *FH_API(calloc)(size_t count, size_t size);
void *FH_API(realloc)(void *pointer, size_t size);
void *FH_API(reallocarray)(void *pointer, size_t count, size_t size);
void *FH_API(aligned_alloc)(size_t alignment, size_t size);
void *FH_API(memalign)(size_t alignment, size_t size);
int FH_API(posix_memalign)(void **out, size_t alignment, size_t size);
void *FH_API(valloc)(size_t size);
void *FH_API(pvalloc)(size_t size);
size_t FH_API(malloc_usable_size)(void *pointer);
void FH_API(free_sized)(void *pointer, size_t size);
void FH_API(free_aligned_sized)(void *pointer, size_t alignment, size_t size);
void FH_API(cfree)(void *pointer);

/* Alignment: a power of two. NULL and errno = ENOMEM without memory. */
void *fh_api_aligned(size_t alignment, size_t size);

/* Starts the thread that looks for idleness, if that is wanted: at the start, and in the child of a fork. */
void fh_helper_start(void);

/* In the child of a fork: a thread that was in the function of fh_on_pressure is no more. */
void fh_pressure_after_fork(void);

#endif
