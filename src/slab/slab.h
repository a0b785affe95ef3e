/*
 * slab.h - slabs: runs of objects of one size class without headers between them.
 *
 * Layer: slab. A slab is memory of 4 to 64 KiB, a power of two, that starts on a multiple of its size; or a piece of
 * one that was cut up: one page of it or some. Its first 16 bytes are the heap's, for tags. One thread state owns it,
 * and the owner alone touches the rest: no locks, no atomics.
 *
 *     base -> | struct fh_slab, 80 bytes | gap | object | object | ... | never carved | gap |
 *
 * Objects of s bytes stand where the address modulo 64 KiB is a multiple of s, whatever the slab's size and place:
 * so free can tell the inside of an object from its start by the address and the class alone (cache.h).
 *
 * Conservation (S1): carved = live + cached by threads + on the way to the owner + on the slab's own list.
 */
#ifndef FH_SLAB_H
#define FH_SLAB_H

#include "atomics.h"
#include "base.h"
#include "classes.h"
#include "guard.h"
#include "list.h"
#include "pagemap.h"

enum { FH_SLAB_HEAD_BYTES = 80 };
enum { FH_SLAB_SHIFT_LEAST = 12, FH_SLAB_SHIFT_MIDDLE = 14, FH_SLAB_SHIFT_MOST = 16 };

struct fh_slab_class;

struct fh_slab {
    char boundary[FH_SLAB_BOUNDARY_BYTES]; /* the heap's, which writes it under its lock; never touched here */
    uint64_t seal;                         /* guard.h tag over `entry`: tells a damaged header */
    uint32_t entry;                        /* of its pages in the page map: owner and class */
    uint8_t heap;                          /* number of the heap it came from */
    uint8_t shift;                         /* log2 of the slab's size, that of a piece rounded up: see `tail` */
    uint8_t is_mapping;                    /* 1: a mapping of its own, 0: a chunk of a heap */
    uint8_t is_leaving;                    /* 1: gives no objects, and those in it are to be moved (core/moves.h) */
    void *free;                            /* objects given back to the slab, a guarded list */
    uint16_t free_count;                   /* on that list */
    uint16_t notice_at;   /* free_count at which something is to be done: the slab becomes usable again, or empty */
    uint16_t carved;      /* objects that were ever handed out; those beyond were never touched by this slab */
    uint16_t capacity;    /* objects that fit */
    uint16_t first;       /* offset of the first object from the slab's base */
    uint16_t class_bytes; /* size of an object */
    uint16_t tail;        /* what it has less than its size says: of a piece (slab_cut.c) */
    uint16_t cut_at;      /* live objects, or fewer, with which it is worth cutting up */
    struct fh_slab_class *class; /* of its owner */
    struct fh_list link;         /* in the owner's list of its class, while it has objects to give */
};
FH_STATIC_ASSERT(sizeof(struct fh_slab) <= FH_SLAB_HEAD_BYTES, "the header fits its place");

/* One owner's slabs of one class. The counters are written by the owner and read by anyone (atomics.h). */
struct fh_slab_class {
    struct fh_list usable; /* slabs with objects to give: free ones or uncarved ones */
    size_t slabs;
    size_t capacity; /* objects that fit these slabs */
    size_t carved;   /* objects ever handed out, of these slabs */
    size_t listed;   /* objects on the slabs' own lists */
};

/* Sums over an owner's slabs. */
struct fh_slab_counts {
    size_t slab_bytes;   /* whole slabs */
    size_t mapped_bytes; /* of slab_bytes: mappings of their own */
};

struct fh_slab_owner {
    uint32_t id; /* of the thread state, as in the page map */
    struct fh_slab_counts counts;
    struct fh_slab_class classes[FH_CLASS_COUNT]; /* index: class size / 16 */
};

void fh_slab_owner_init(struct fh_slab_owner *owner, uint32_t id);

FH_INLINE struct fh_slab_class *fh_slab_class_of(struct fh_slab_owner *owner, size_t class_bytes)
{
    return &owner->classes[class_bytes / FH_ALIGNMENT];
}

/* How large the next slab of this class should be: small at first, more with the population. */
unsigned fh_slab_next_shift(const struct fh_slab_owner *owner, size_t class_bytes);

/* Makes the memory at `base` a slab of the owner, names it in the page map and puts it on the list of its class. */
struct fh_slab *fh_slab_open(struct fh_slab_owner *owner, void *base, unsigned shift, uint32_t class_bytes,
                             uint32_t heap, bool is_mapping);
/* Forgets a slab that holds no object outside its own list; page map entries become `entry`. */
void fh_slab_close(struct fh_slab_owner *owner, struct fh_slab *slab, uint32_t entry);

/* Within the layer: a header without a place in lists and sums; a slab joins (+1) or leaves (-1) its owner's sums. */
void fh_slab_init(struct fh_slab_owner *owner, struct fh_slab *slab, unsigned shift, size_t bytes,
                  uint32_t class_bytes);
enum { FH_SLAB_JOINS = 1, FH_SLAB_LEAVES = -1 };
void fh_slab_count(struct fh_slab_owner *owner, const struct fh_slab *slab, size_t sign);

/* The slab around a block whose page map entry is `entry`, of whatever size; stops at a damaged header. */
struct fh_slab *fh_slab_search(const void *block, uint32_t entry);

/* The same if it is whole and of the largest size, as slabs are where a class has volume: then its header is where the
 * block's address says. Else NULL. A page on a multiple of 64 KiB that has the block's entry starts a slab, since none
 * is larger. */
FH_INLINE struct fh_slab *fh_slab_largest_of(const void *block, uint32_t entry)
{
    struct fh_slab *slab = (struct fh_slab *)fh_align_down((uintptr_t)block, (size_t)1 << FH_SLAB_SHIFT_MOST);
    bool is_it = fh_pagemap_get(slab) == entry && slab->entry == entry && slab->shift == FH_SLAB_SHIFT_MOST &&
                 !slab->tail;
    return FH_LIKELY(is_it) ? slab : NULL;
}
FH_INLINE struct fh_slab *fh_slab_of(const void *block, uint32_t entry)
{
    struct fh_slab *slab = fh_slab_largest_of(block, entry);
    return FH_LIKELY(slab != NULL) ? slab : fh_slab_search(block, entry);
}

/* Takes the slab's whole list in O(1): its head, and how many. */
void *fh_slab_take_list(struct fh_slab *slab, uint32_t *count);
/* Carves up to a page of objects that were never handed out; a guarded list of `count`, in address order. */
void *fh_slab_carve(struct fh_slab *slab, uint32_t most, uint32_t *count);
/* One object from the list or uncarved, for when caching is off; NULL when the slab has none. */
void *fh_slab_take_one(struct fh_slab *slab);
/* The slab joins or leaves the list of its class according to whether it has something to give. */
void fh_slab_relist(struct fh_slab *slab);

/*
 * Gives an object back to the slab's list; `mark` is fh_guard_mark of it. True when something is to be done about the
 * slab: call fh_slab_relist, and look whether it is empty. The class's `listed` is the caller's to keep: frees come in
 * runs, and one addition a run is enough.
 */
FH_INLINE bool fh_slab_put(struct fh_slab *slab, void *block, uint64_t mark)
{
    ((fh_word *)block)[1] = mark;
    ((fh_word *)block)[0] = mark ^ (uintptr_t)slab->free;
    slab->free = block;
    return FH_UNLIKELY(++slab->free_count == slab->notice_at);
}

/* In a forked child, where the thread that owned the slab does not exist: every object that is marked free goes to the
 * slab's list, whatever lists it was on. The owner's counts are brought up again from zero by the caller's walk. */
void fh_slab_rebuild(struct fh_slab_owner *owner, struct fh_slab *slab);

FH_INLINE void *fh_slab_object(const struct fh_slab *slab, uint32_t index)
{
    return (char *)(uintptr_t)slab + slab->first + (size_t)index * slab->class_bytes;
}
/* Whether an object that starts here was ever handed out. */
FH_INLINE bool fh_slab_has_carved(const struct fh_slab *slab, const void *block)
{
    return (uintptr_t)block - (uintptr_t)slab - slab->first < (size_t)slab->carved * slab->class_bytes;
}
/* Bytes from its base to its end. */
FH_INLINE size_t fh_slab_bytes(const struct fh_slab *slab) { return ((size_t)1 << slab->shift) - slab->tail; }
/* The same, up to the end of its last page: the pages that have its entry. */
FH_INLINE size_t fh_slab_span(const struct fh_slab *slab) { return fh_align_up(fh_slab_bytes(slab), FH_PAGEMAP_GRAIN); }
FH_INLINE bool fh_slab_holds(const struct fh_slab *slab, const void *block)
{
    return (uintptr_t)block - (uintptr_t)slab < fh_slab_span(slab);
}
FH_INLINE bool fh_slab_is_empty(const struct fh_slab *slab) { return slab->free_count == slab->carved; }
bool fh_slab_is_sound(const struct fh_slab *slab);
FH_INLINE bool fh_bit(const uint64_t *bits, uint32_t i) { return bits[i / 64] >> i % 64 & 1; }
/* The objects of a slab that are on its own list, a bit each; false when the list is not sound. */
enum { FH_SLAB_BITS_WORDS = 65536 / 16 / 64 };
bool fh_slab_listed_bits(const struct fh_slab *slab, uint64_t bits[FH_SLAB_BITS_WORDS]);
/* The same by the marks of free objects: it reads the slab from one end to the other and waits for no link, but is
 * false also while a cache holds some of them. */
bool fh_slab_marked_bits(const struct fh_slab *slab, uint64_t bits[FH_SLAB_BITS_WORDS]);

/*
 * Cutting up a slab with few live objects: each of its pages that holds some becomes a slab of its own, and what lies
 * between goes back to the heap (slab_cut.c).
 */
enum { FH_SLAB_PIECES_MOST = 16, FH_SLAB_PIECE_TAIL_BYTES = 48, FH_SLAB_SPARSE = 8 };
struct fh_slab_piece {
    uint32_t offset; /* from the slab's base */
    uint32_t bytes;
};
struct fh_slab_cut {
    uint32_t count;
    struct fh_slab_piece pieces[FH_SLAB_PIECES_MOST];
    uint64_t listed[FH_SLAB_BITS_WORDS];
};
/* Whether it is worth trying: few objects are not on its list, and not as many as at the last try. */
FH_INLINE bool fh_slab_is_sparse(const struct fh_slab *slab)
{
    uint32_t live = (uint32_t)slab->carved - slab->free_count;
    return live <= slab->cut_at && live * FH_SLAB_SPARSE <= slab->carved && slab->shift > FH_SLAB_SHIFT_LEAST &&
           !slab->is_mapping && !slab->is_leaving;
}
/* Whether some of its pages are likely to be free, wherever its live objects lie: to find out, all of it is read. */
FH_INLINE bool fh_slab_is_thin(const struct fh_slab *slab)
{
    return fh_slab_is_sparse(slab) && (uint32_t)slab->carved - slab->free_count <= fh_slab_bytes(slab) / 4096;
}
/* How it would be cut into pieces of `page_bytes` (the kernel's) or more; false when that frees too little. */
bool fh_slab_plan_cut(struct fh_slab *slab, size_t page_bytes, struct fh_slab_cut *cut);
/* The pieces become slabs, with what they have of the list; those that hold memory above are written first. The page
 * map entries of what lies between are the caller's. */
void fh_slab_do_cut(struct fh_slab_owner *owner, struct fh_slab *slab, const struct fh_slab_cut *cut);

FH_INLINE uint32_t fh_slab_owner_id(const struct fh_slab *slab) { return fh_entry_owner(slab->entry); }

#endif
