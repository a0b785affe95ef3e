/*
 * base.h - words that every file uses: attributes, assertions, alignment and checked arithmetic.
 *
 * Layer: base. Owns nothing, locks nothing, calls nothing.
 */
#ifndef FH_BASE_H
#define FH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FH_LIKELY(x) __builtin_expect(!!(x), 1)
#define FH_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define FH_INLINE static inline __attribute__((always_inline))
#define FH_NOINLINE __attribute__((noinline))
#define FH_COLD __attribute__((cold, noinline))
#define FH_EXPORT __attribute__((visibility("default")))
/* Of a small variable that every process reads or writes as it starts: beside the others of its kind. In .bss it would
 * stand between large arrays, on a page that is in memory for it alone. */
#define FH_BESIDE_DATA __attribute__((section(".data")))
/* For variables that other files of the library read: no detour through the global offset table. */
#define FH_HIDDEN __attribute__((visibility("hidden")))
#define FH_ALIGNED(n) __attribute__((aligned(n)))
#define FH_CACHE_LINE 64

#define FH_STATIC_ASSERT(cond, why) _Static_assert(cond, why)
#define FH_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Assertions that only debug builds pay for; the checks that guard against the program's own bugs are always on and
 * live in guard/. A failed assertion is a bug of Freehold. */
#if defined(FH_DEBUG) && FH_DEBUG
#define FH_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#else
#define FH_ASSERT(cond) ((void)sizeof(cond))
#endif

/* A word of user memory seen as a number: the compiler must not reason about its type. */
typedef uint64_t __attribute__((may_alias)) fh_word;

/* Every pointer that leaves the allocator is a multiple of this (C11 6.2.8: alignof(max_align_t) on both targets). */
#define FH_ALIGNMENT ((size_t)16)
FH_STATIC_ASSERT(_Alignof(max_align_t) <= 16, "malloc must align for every object");

#define FH_KIB ((size_t)1024)
#define FH_MIB ((size_t)1024 * 1024)

FH_INLINE bool fh_is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }
FH_INLINE size_t fh_align_down(size_t n, size_t alignment) { return n & ~(alignment - 1); }

/* The caller has made sure that n is far from SIZE_MAX; use fh_checked_align_up for numbers from outside. */
FH_INLINE size_t fh_align_up(size_t n, size_t alignment) { return (n + alignment - 1) & ~(alignment - 1); }

FH_INLINE bool fh_checked_align_up(size_t n, size_t alignment, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(n, alignment - 1, &sum)) return false;
    *out = sum & ~(alignment - 1);
    return true;
}

FH_INLINE size_t fh_min(size_t a, size_t b) { return a < b ? a : b; }
FH_INLINE size_t fh_max(size_t a, size_t b) { return a > b ? a : b; }

/* Index of the highest set bit; n must not be 0. */
FH_INLINE unsigned fh_log2_floor(size_t n) { return 63u - (unsigned)__builtin_clzl(n); }
FH_INLINE unsigned fh_log2_ceil(size_t n) { return n > 1 ? fh_log2_floor(n - 1) + 1 : 0; }

FH_STATIC_ASSERT(sizeof(size_t) == 8 && sizeof(void *) == 8, "Freehold is written for 64-bit Linux");

#endif
