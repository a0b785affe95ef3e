/*
 * malloc.c - the C, POSIX and GNU entry points. Sets errno, and knows what each function's page says; nothing else.
 *
 * Layer: api. Where the standards leave a choice, these do what glibc does: malloc(0) gives a block, realloc(p, 0)
 * frees, memalign rounds its alignment up to a power of two.
 */
#include <errno.h>
#include <string.h>

#include "api.h"
#include "base.h"
#include "cache.h"
#include "core.h"
#include "fast.h"
#include "os.h"

FH_COLD static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

FH_NOINLINE static void *malloc_slow(size_t size)
{
    void *pointer = fh_core_malloc(size);
    return FH_LIKELY(pointer != NULL) ? pointer : no_memory();
}

FH_EXPORT void *FH_API(malloc)(size_t size)
{
    void *pointer = fh_cache_pop(size);
    return FH_LIKELY(pointer != NULL) ? pointer : malloc_slow(size);
}

/* Keeps errno, as POSIX.1-2024 asks: nothing below writes it. */
FH_EXPORT void FH_API(free)(void *pointer) { fh_core_free_cached(pointer); }

FH_EXPORT void *FH_API(calloc)(size_t count, size_t size)
{
    size_t bytes;
    if (FH_UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return no_memory();
    void *pointer = fh_cache_pop(bytes);
    if (FH_LIKELY(pointer != NULL)) {
        enum { WORTH_A_CALL = 128 };
        if (bytes > WORTH_A_CALL) return memset(pointer, 0, bytes);
        fh_word *word = pointer, *end = word + fh_class_size(bytes) / sizeof *word;
        for (; word < end; word += 2) word[0] = word[1] = 0;
        return pointer;
    }
    pointer = fh_core_calloc(bytes);
    return FH_LIKELY(pointer != NULL) ? pointer : no_memory();
}

FH_EXPORT void *FH_API(realloc)(void *pointer, size_t size)
{
    if (!pointer) return FH_API(malloc)(size);
    if (size == 0) {
        FH_API(free)(pointer);
        return NULL;
    }
    void *resized = fh_core_realloc(pointer, size);
    return FH_LIKELY(resized != NULL) ? resized : no_memory();
}

FH_EXPORT void *FH_API(reallocarray)(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return no_memory();
    return FH_API(realloc)(pointer, bytes);
}

/* errno stays what it was. */
FH_INLINE void *aligned(size_t alignment, size_t size)
{
    if (FH_LIKELY(fh_is_small_aligned(size, alignment))) {
        void *pointer = fh_cache_pop(fh_class_size_aligned(size, alignment));
        if (FH_LIKELY(pointer != NULL)) return pointer;
    }
    return fh_core_memalign(alignment, size);
}

void *fh_api_aligned(size_t alignment, size_t size)
{
    void *pointer = aligned(alignment, size);
    return FH_LIKELY(pointer != NULL) ? pointer : no_memory();
}

FH_EXPORT void *FH_API(aligned_alloc)(size_t alignment, size_t size)
{
    if (!fh_is_power_of_two(alignment)) { /* C17 DR 460; glibc since 2.38 */
        errno = EINVAL;
        return NULL;
    }
    return fh_api_aligned(alignment, size);
}

FH_EXPORT void *FH_API(memalign)(size_t alignment, size_t size)
{
    if (alignment > SIZE_MAX / 2 + 1) { /* no power of two is as large */
        errno = EINVAL;
        return NULL;
    }
    if (!fh_is_power_of_two(alignment))
        alignment = alignment <= FH_ALIGNMENT ? FH_ALIGNMENT : (size_t)2 << fh_log2_floor(alignment - 1);
    return fh_api_aligned(alignment, size);
}

FH_EXPORT int FH_API(posix_memalign)(void **out, size_t alignment, size_t size)
{
    if (!fh_is_power_of_two(alignment) || alignment % sizeof(void *) != 0) return EINVAL;
    void *pointer = aligned(alignment, size);
    if (FH_UNLIKELY(!pointer)) return ENOMEM; /* POSIX does not want errno set */
    *out = pointer;
    return 0;
}

FH_EXPORT void *FH_API(valloc)(size_t size) { return fh_api_aligned(fh_os_page_size(), size); }

FH_EXPORT void *FH_API(pvalloc)(size_t size)
{
    size_t page = fh_os_page_size(), rounded;
    if (!fh_checked_align_up(size, page, &rounded)) return no_memory();
    return fh_api_aligned(page, rounded);
}

FH_EXPORT size_t FH_API(malloc_usable_size)(void *pointer) { return pointer ? fh_core_usable(pointer) : 0; }

/* C23 7.24.3.4, 7.24.3.5: size and alignment are hints that a correct program gives correctly. */
FH_EXPORT void FH_API(free_sized)(void *pointer, size_t size)
{
    (void)size;
    FH_API(free)(pointer);
}

FH_EXPORT void FH_API(free_aligned_sized)(void *pointer, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    FH_API(free)(pointer);
}

FH_EXPORT void FH_API(cfree)(void *pointer) { FH_API(free)(pointer); }
