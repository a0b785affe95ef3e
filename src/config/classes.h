/*
 * classes.h - the size classes of small blocks, and where in memory blocks of a class may start.
 *
 * Layer: config: the one place for these facts.
 */
#ifndef FH_CLASSES_H
#define FH_CLASSES_H

#include "base.h"

/*
 * Requests up to FH_SMALL_MOST bytes live in slabs. There is a class every 16 bytes up to 256, every 32 up to 512 and
 * every 64 up to 1,024: rounding adds an eighth at most to what is larger than 128, and a thread has 32 classes, each
 * of which may hold a slab that is mostly free. Class 0 exists only so that a class's bytes index its bin; it stays
 * empty, as do the places of sizes between two classes.
 */
enum { FH_FINE_MOST = 256, FH_MIDDLING_MOST = 512, FH_SMALL_MOST = 1024 };
enum { FH_CLASS_COUNT = FH_SMALL_MOST / 16 + 1 };

/* The class of a request that is larger than FH_FINE_MOST: off the straight line of malloc. */
FH_INLINE size_t fh_class_size_coarse(size_t request_bytes)
{
    return fh_align_up(request_bytes, request_bytes > FH_MIDDLING_MOST ? 64 : 32);
}
/* The class of a request of FH_SMALL_MOST bytes at most, which is also what its block can hold. */
FH_INLINE size_t fh_class_size(size_t request_bytes)
{
    if (FH_UNLIKELY(request_bytes > FH_FINE_MOST)) return fh_class_size_coarse(request_bytes);
    return fh_align_up(request_bytes, FH_ALIGNMENT);
}
/* For each class, from small to large: the bytes of its blocks. */
#define FH_EACH_CLASS(size) \
    for (size_t size = FH_ALIGNMENT; size <= FH_SMALL_MOST; size = fh_class_size(size + 1))

/*
 * Blocks of s bytes stand where the address modulo 64 KiB is a multiple of s, in every slab of whatever size and place.
 * So the address and the class tell a block's start from its inside, without the slab. For n below 2^16, n is a
 * multiple of s exactly when n * ceil(2^32 / s), modulo 2^32, is below ceil(2^32 / s) (Lemire, Kaser, Kurz, "Faster
 * remainder by direct computation", 2019).
 *
 * And blocks of a class that is a multiple of a power of two stand on multiples of it: an aligned request is one of the
 * class that both its size and its alignment fit.
 */
FH_INLINE bool fh_is_small_aligned(size_t request_bytes, size_t alignment)
{
    return request_bytes <= FH_SMALL_MOST && alignment <= FH_SMALL_MOST;
}
FH_INLINE size_t fh_class_size_aligned(size_t request_bytes, size_t alignment)
{
    return fh_class_size(fh_align_up(fh_max(request_bytes, 1), fh_max(alignment, FH_ALIGNMENT)));
}
FH_STATIC_ASSERT((FH_SMALL_MOST & (FH_SMALL_MOST - 1)) == 0, "rounding up to an alignment stays within the classes");

/* The first bytes of a slab are the heap's (chunk.h): the footer of a free chunk below, and the slab's own tag. */
enum { FH_SLAB_BOUNDARY_BYTES = 16 };

FH_INLINE uint32_t fh_block_magic(uint32_t class_bytes) { return UINT32_MAX / class_bytes + 1; }
FH_INLINE bool fh_is_block_start(const void *pointer, uint32_t magic)
{
    return (uint32_t)(uint16_t)(uintptr_t)pointer * magic < magic;
}
/* The first address at or above `from` where a block of this class may start. */
FH_INLINE uintptr_t fh_first_block_start(uintptr_t from, size_t class_bytes)
{
    size_t beyond = (uint16_t)from % class_bytes;
    return beyond ? from + class_bytes - beyond : from;
}

#endif
