/*
 * calls.h - the entry points under test: those of the prefixed build, or, with FH_MODEL_PRODUCT, the real ones.
 */
#ifndef FH_MODEL_CALLS_H
#define FH_MODEL_CALLS_H

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(FH_MODEL_PRODUCT) && FH_MODEL_PRODUCT
#define CALL(name) name
#else
#define CALL(name) fh_test_##name
void *fh_test_malloc(size_t);
void *fh_test_calloc(size_t, size_t);
void *fh_test_realloc(void *, size_t);
void *fh_test_reallocarray(void *, size_t, size_t);
void *fh_test_aligned_alloc(size_t, size_t);
void *fh_test_memalign(size_t, size_t);
int fh_test_posix_memalign(void **, size_t, size_t);
void *fh_test_valloc(size_t);
void *fh_test_pvalloc(size_t);
void fh_test_free(void *);
size_t fh_test_malloc_usable_size(void *);
int fh_test_malloc_trim(size_t);
int fh_test_mallopt(int, int);
struct mallinfo2 fh_test_mallinfo2(void);
#endif

/* Not in every libc's headers. */
void CALL(free_sized)(void *, size_t);
void CALL(free_aligned_sized)(void *, size_t, size_t);

/* operator new and delete in their forms (Itanium C++ ABI, 5.1.5); they have no prefix in any build. */
void *_Znwm(size_t);
void *_Znam(size_t);
void *_ZnwmRKSt9nothrow_t(size_t, const void *);
void *_ZnamRKSt9nothrow_t(size_t, const void *);
void *_ZnwmSt11align_val_t(size_t, size_t);
void *_ZnamSt11align_val_t(size_t, size_t);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t, size_t, const void *);
void _ZdlPv(void *);
void _ZdaPv(void *);
void _ZdlPvm(void *, size_t);
void _ZdaPvm(void *, size_t);
void _ZdlPvRKSt9nothrow_t(void *, const void *);
void _ZdaPvRKSt9nothrow_t(void *, const void *);
void _ZdlPvSt11align_val_t(void *, size_t);
void _ZdaPvSt11align_val_t(void *, size_t);
void _ZdlPvmSt11align_val_t(void *, size_t, size_t);
void _ZdaPvmSt11align_val_t(void *, size_t, size_t);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *, size_t, const void *);

#endif
