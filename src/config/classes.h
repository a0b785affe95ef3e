/*
 * classes.h - the size classes of small blocks, and where in memory blocks of a class may start.
 *
 * Layer: config: the one place for these facts.
 */
#ifndef FH_CLASSES_H
#define FH_CLASSES_H

#include "base.h"

/* Requests up to this many bytes live in slabs, one class every 16 bytes; above, a chunk's tag costs less than rounding
 * to a class does. Class 0 exists only so that a class's bytes index its bin; it stays empty. */
enum { FH_SMALL_MOST = 256, FH_CLASS_COUNT = FH_SMALL_MOST / 16 + 1 };

/*
 * Above, up to this many bytes, blocks are heap chunks of one exact size for every 16 bytes too, so that a thread can
 * keep freed ones on lists like those of small blocks. A chunk's usable size is 8 modulo 16; the class is 8 less.
 */
enum { FH_CACHED_MOST = 1024, FH_CACHED_COUNT = FH_CACHED_MOST / 16 + 1 };

/* Usable bytes of the blocks of a class. */
FH_INLINE size_t fh_class_usable(size_t class_bytes)
{
    return class_bytes <= FH_SMALL_MOST ? class_bytes : class_bytes + 8;
}

FH_INLINE size_t fh_class_size(size_t request_bytes) { return fh_align_up(request_bytes, FH_ALIGNMENT); }

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
    return fh_align_up(fh_max(request_bytes, 1), fh_max(alignment, FH_ALIGNMENT));
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
