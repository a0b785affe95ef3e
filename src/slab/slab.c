/*
 * slab.c - see slab.h.
 *
 * Layer: slab.
 */
#include "slab.h"

#include <string.h>

#include "fault.h"
#include "guard.h"
#include "pagemap.h"

/* How many slabs of a class an owner has before the next one is twice as large: it is a quarter of all of them then. */
enum { ALIKE_SLABS = 4 };

void fh_slab_owner_init(struct fh_slab_owner *owner, uint32_t id)
{
    *owner = (struct fh_slab_owner){.id = id};
    for (int i = 0; i < FH_CLASS_COUNT; i++) fh_list_init(&owner->classes[i].usable);
}

unsigned fh_slab_next_shift(const struct fh_slab_owner *owner, size_t class_bytes)
{
    size_t slabs = owner->classes[class_bytes / FH_ALIGNMENT].slabs;
    return (unsigned)fh_min(FH_SLAB_SHIFT_LEAST + slabs / ALIKE_SLABS, FH_SLAB_SHIFT_MOST);
}

static uint64_t seal_of(const struct fh_slab *slab) { return fh_guard_seal(slab->entry, (uintptr_t)slab); }

bool fh_slab_is_sound(const struct fh_slab *slab)
{
    return slab->seal == seal_of(slab) && slab->carved <= slab->capacity && slab->free_count <= slab->carved;
}

/* A slab joins (+1) or leaves (-1) its owner's sums; unsigned differences wrap as they should. */
void fh_slab_count(struct fh_slab_owner *owner, const struct fh_slab *slab, size_t sign)
{
    struct fh_slab_class *class = slab->class;
    size_t bytes = fh_slab_bytes(slab);
    fh_count_add(&class->slabs, sign);
    fh_count_add(&class->capacity, sign * slab->capacity);
    fh_count_add(&class->carved, sign * slab->carved);
    fh_count_add(&class->listed, sign * slab->free_count);
    fh_count_add(&owner->counts.slab_bytes, sign * bytes);
    if (slab->is_mapping) fh_count_add(&owner->counts.mapped_bytes, sign * bytes);
}

void fh_slab_init(struct fh_slab_owner *owner, struct fh_slab *slab, unsigned shift, size_t bytes, uint32_t class_bytes)
{
    uintptr_t base = (uintptr_t)slab;
    uintptr_t first = fh_first_block_start(base + FH_SLAB_HEAD_BYTES, class_bytes) - base;
    memset((char *)slab + FH_SLAB_BOUNDARY_BYTES, 0, sizeof *slab - FH_SLAB_BOUNDARY_BYTES);
    slab->capacity = (uint16_t)((bytes - first) / class_bytes);
    slab->first = (uint16_t)first;
    slab->class_bytes = (uint16_t)class_bytes;
    slab->shift = (uint8_t)shift;
    slab->tail = (uint16_t)(((size_t)1 << shift) - bytes);
    slab->cut_at = slab->capacity / FH_SLAB_SPARSE;
    slab->entry = fh_entry_of_slab(owner->id, class_bytes);
    slab->class = fh_slab_class_of(owner, class_bytes);
    slab->seal = seal_of(slab);
}

struct fh_slab *fh_slab_open(struct fh_slab_owner *owner, void *base, unsigned shift, uint32_t class_bytes,
                             uint32_t heap, bool is_mapping)
{
    struct fh_slab *slab = base;
    size_t bytes = (size_t)1 << shift;
    fh_slab_init(owner, slab, shift, bytes, class_bytes);
    slab->is_mapping = is_mapping;
    slab->heap = (uint8_t)heap;
    fh_slab_count(owner, slab, FH_SLAB_JOINS);
    fh_slab_relist(slab);
    fh_pagemap_set(base, bytes, slab->entry);
    return slab;
}

void fh_slab_close(struct fh_slab_owner *owner, struct fh_slab *slab, uint32_t entry)
{
    FH_ASSERT(fh_slab_is_empty(slab));
    if (fh_list_is_linked(&slab->link)) fh_list_remove(&slab->link);
    fh_slab_count(owner, slab, (size_t)FH_SLAB_LEAVES);
    fh_pagemap_set(slab, fh_slab_span(slab), entry);
    slab->seal = slab->entry = 0;
}

/* Whether a slab begins here, and holds the block. Zeros are a good seal over zeros in one place of 2^16. */
FH_INLINE bool is_slab_of(const struct fh_slab *slab, const void *block, uint32_t entry)
{
    return fh_pagemap_get(slab) == entry && slab->entry == entry && fh_slab_is_sound(slab) &&
           fh_slab_holds(slab, block);
}

struct fh_slab *fh_slab_search(const void *block, uint32_t entry)
{
    /* All pages of a slab have the same entry, and it starts on a multiple of its size; a piece of one on any page.
     * What is found on the way may be the inside of a slab, whose contents pass for no header, or one that ends
     * before. */
    struct fh_slab *slab, *page = (struct fh_slab *)fh_align_down((uintptr_t)block, FH_PAGEMAP_GRAIN);
    for (unsigned shift = FH_SLAB_SHIFT_MOST; shift >= FH_SLAB_SHIFT_LEAST; shift--) {
        slab = (struct fh_slab *)fh_align_down((uintptr_t)block, (size_t)1 << shift);
        if (is_slab_of(slab, block, entry)) return slab;
    }
    const struct fh_slab *damaged = page;
    for (slab = page; fh_pagemap_get(slab) == entry; slab = (struct fh_slab *)((uintptr_t)slab - FH_PAGEMAP_GRAIN)) {
        if (is_slab_of(slab, block, entry)) return slab;
        if (slab->entry == entry && fh_slab_is_sound(slab)) break;
        damaged = slab;
        if ((uintptr_t)slab % ((size_t)1 << FH_SLAB_SHIFT_MOST) == 0) break;
    }
    fh_fault(FH_FAULT_DAMAGED_SLAB, damaged, SIZE_MAX, (struct fh_place){"a slab", 0, -1});
}

void fh_slab_relist(struct fh_slab *slab)
{
    bool usable = slab->free_count > 0 || slab->carved < slab->capacity;
    slab->notice_at = usable ? slab->carved : 1;
    if (usable == fh_list_is_linked(&slab->link)) return;
    if (usable) fh_list_push_front(&slab->class->usable, &slab->link);
    else fh_list_remove(&slab->link);
}

void *fh_slab_take_list(struct fh_slab *slab, uint32_t *count)
{
    void *list = slab->free;
    *count = slab->free_count;
    fh_count_sub(&slab->class->listed, slab->free_count);
    slab->free = NULL;
    slab->free_count = 0;
    fh_slab_relist(slab);
    return list;
}

void *fh_slab_carve(struct fh_slab *slab, uint32_t most, uint32_t *count)
{
    uint32_t left = slab->capacity - slab->carved;
    /* To the end of the page that the next object ends in, so that memory is touched a page at a time. */
    uintptr_t at = (uintptr_t)fh_slab_object(slab, slab->carved);
    uintptr_t page_end = fh_align_up(at + slab->class_bytes, FH_PAGEMAP_GRAIN);
    uint32_t n = (uint32_t)((page_end - at) / slab->class_bytes);
    if (n > left) n = left;
    if (n > most) n = most;
    if (n == 0) {
        *count = 0;
        return NULL;
    }
    size_t bytes = slab->class_bytes; /* what is written below is no header, but the compiler can't know */
    char *first = fh_slab_object(slab, slab->carved), *block = first, *last = first + (n - 1) * bytes;
    uint64_t mark = fh_guard_mark(fh_guard.secret, block);
    for (; block != last; block += bytes, mark += bytes) fh_guard_link_marked(block, mark, block + bytes);
    fh_guard_link_marked(last, mark, NULL);
    slab->carved = (uint16_t)(slab->carved + n);
    fh_count_add(&slab->class->carved, n);
    fh_slab_relist(slab);
    *count = n;
    return first;
}

bool fh_slab_listed_bits(const struct fh_slab *slab, uint64_t bits[FH_SLAB_BITS_WORDS])
{
    for (int i = 0; i < FH_SLAB_BITS_WORDS; i++) bits[i] = 0;
    uint32_t count = 0;
    void *next;
    for (char *block = slab->free; block; block = next) {
        uintptr_t offset = (uintptr_t)block - (uintptr_t)fh_slab_object(slab, 0);
        uint32_t index = (uint32_t)(offset / slab->class_bytes);
        if (!fh_slab_has_carved(slab, block) || offset % slab->class_bytes || fh_bit(bits, index)) return false;
        if (!fh_guard_follow(block, &next)) return false;
        bits[index / 64] |= (uint64_t)1 << index % 64;
        count++;
    }
    return count == slab->free_count;
}

bool fh_slab_marked_bits(const struct fh_slab *slab, uint64_t bits[FH_SLAB_BITS_WORDS])
{
    for (int i = 0; i < FH_SLAB_BITS_WORDS; i++) bits[i] = 0;
    uint32_t count = 0;
    const char *block = fh_slab_object(slab, 0);
    void *next;
    for (uint32_t i = 0; i < slab->carved; i++, block += slab->class_bytes) {
        if (!fh_guard_follow(block, &next)) continue;
        bits[i / 64] |= (uint64_t)1 << i % 64;
        count++;
    }
    return count == slab->free_count;
}

void *fh_slab_take_one(struct fh_slab *slab)
{
    uint32_t count;
    if (!slab->free) return fh_slab_carve(slab, 1, &count);
    void *block = slab->free, *next;
    if (FH_UNLIKELY(!fh_guard_follow(block, &next)))
        fh_fault(FH_FAULT_DAMAGED_LINK, block, slab->class_bytes, (struct fh_place){"a slab", (uintptr_t)slab, -1});
    slab->free = next;
    slab->free_count--;
    fh_count_sub(&slab->class->listed, 1);
    fh_slab_relist(slab);
    return block;
}

void fh_slab_rebuild(struct fh_slab_owner *owner, struct fh_slab *slab)
{
    slab->free = NULL;
    slab->free_count = 0;
    slab->link.next = slab->link.prev = NULL;
    slab->is_leaving = 0;
    if (slab->carved > slab->capacity) slab->carved = slab->capacity;
    slab->class = fh_slab_class_of(owner, slab->class_bytes);
    for (uint32_t i = slab->carved; i-- > 0;) {
        void *block = fh_slab_object(slab, i);
        if (!fh_guard_is_marked(block)) continue;
        fh_guard_link(block, slab->free);
        slab->free = block;
        slab->free_count++;
    }
    fh_slab_count(owner, slab, FH_SLAB_JOINS);
    fh_slab_relist(slab);
}
