/*
 * guard.h - protection of what the allocator keeps inside memory that the program can write to.
 *
 * Layer: guard. Two kinds of words lie there. Links of free lists: they are mixed with a secret and with the address
 * they stand at, and a mark beside them says "this block is free". Tags (chunk headers and the like): their upper 16
 * bits are a checksum over the rest, the address and the secret. A stray write changes them into something that the
 * next look at them recognises: a link with a chance of about 2^-20, a mark of 2^-64, a tag of 2^-16 to slip through.
 *
 * A free block of a list, seen as words:
 *
 *     word 0   next ^ (secret + address)      the link; next is 0 at the end of the list
 *     word 1   secret + address               the mark, cleared when the block is handed out
 */
#ifndef FH_GUARD_H
#define FH_GUARD_H

#include "base.h"

struct fh_guard {
    uint64_t secret;   /* random for each process */
    uint64_t bad_bits; /* bits that no pointer to a block has: above the address space, below the alignment */
};

extern FH_HIDDEN struct fh_guard fh_guard;

#define FH_POINTER_BAD_BITS (~(uint64_t)0x0000fffffffffff0)

FH_INLINE uint64_t fh_guard_mark(uint64_t secret, const void *block) { return secret + (uintptr_t)block; }

FH_INLINE bool fh_guard_is_marked(const void *block)
{
    return ((const fh_word *)block)[1] == fh_guard_mark(fh_guard.secret, block);
}

/* Makes `block` a member of a list, in front of `next` (which may be NULL). */
FH_INLINE void fh_guard_link_marked(void *block, uint64_t mark, const void *next)
{
    ((fh_word *)block)[0] = mark ^ (uintptr_t)next;
    ((fh_word *)block)[1] = mark;
}
FH_INLINE void fh_guard_link(void *block, const void *next)
{
    fh_guard_link_marked(block, fh_guard_mark(fh_guard.secret, block), next);
}

/* What follows `block` in its list: true and *next, or false when mark or link are damaged. */
FH_INLINE bool fh_guard_follow(const void *block, void **next)
{
    uint64_t mark = fh_guard_mark(fh_guard.secret, block);
    uint64_t link = ((const fh_word *)block)[0] ^ mark;
    *next = (void *)(uintptr_t)link;
    return ((const fh_word *)block)[1] == mark && (link & FH_POINTER_BAD_BITS) == 0;
}

FH_INLINE void fh_guard_unmark(void *block) { ((fh_word *)block)[1] = 0; }

/* A tag: 48 bits of `content`, sealed for the place where it stands. */
#define FH_TAG_CONTENT (((uint64_t)1 << 48) - 1)

FH_INLINE uint64_t fh_guard_seal(uint64_t content, uintptr_t place)
{
    uint64_t mixed =
        (content ^ fh_guard.secret ^ place << 1) * 0x9e3779b97f4a7c15ULL; /* golden ratio: odd, well mixed */
    return content | (mixed & ~FH_TAG_CONTENT);
}

FH_INLINE bool fh_guard_is_sealed(uint64_t tag, uintptr_t place)
{
    return tag == fh_guard_seal(tag & FH_TAG_CONTENT, place);
}

/* Sets the secret; called once, before the first block. */
void fh_guard_init(void);

#endif
