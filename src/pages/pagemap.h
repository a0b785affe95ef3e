/*
 * pagemap.h - what every page of the address space is to us: the one place that answers "whose pointer is this?".
 *
 * Layer: pages. A two-level table: a root of 65,536 pointers, one for each 4 GiB of a 48-bit address space, and leaves
 * with one 32-bit entry for each 4 KiB, mapped when first needed and touched only where the heap is. The grain is 4 KiB
 * on every machine, whatever the kernel's page size.
 *
 * An entry, the only place that knows these bits:
 *
 *      31 30 29          12 11            0
 *     +-----+--------------+---------------+
 *     | 0 0 | owner 1..    | object size   |   page of a slab: thread state that owns it, size class in bytes
 *     | 1 0 | heap number  | 1             |   page of a heap that is no slab
 *     | 1 1 | 0            | 2, or 3       |   page that holds the user's pointer of a large block; at its very start
 *     |                0                   |   not ours
 *     +------------------------------------+
 *
 * Entries are written by who owns the page, and read by anybody who holds a pointer into it; whoever passed the pointer
 * on passed the entry with it, so relaxed loads are enough. No locks: a leaf is installed by compare-and-set.
 */
#ifndef FH_PAGEMAP_H
#define FH_PAGEMAP_H

#include "atomics.h"
#include "base.h"

enum {
    FH_PAGEMAP_GRAIN_SHIFT = 12,
    FH_PAGEMAP_LEAF_SHIFT = 32,
    FH_PAGEMAP_LEAF_ENTRIES = 1 << (FH_PAGEMAP_LEAF_SHIFT - FH_PAGEMAP_GRAIN_SHIFT),
    FH_PAGEMAP_ROOT_ENTRIES = 1 << 16,
};
#define FH_PAGEMAP_GRAIN ((size_t)1 << FH_PAGEMAP_GRAIN_SHIFT)

#define FH_ENTRY_SIZE_MASK 0xfffu
#define FH_ENTRY_OWNER_SHIFT 12
#define FH_ENTRY_OWNER_LIMIT (1u << 18)
#define FH_ENTRY_HEAP 0x80000001u
#define FH_ENTRY_LARGE 0xc0000002u
#define FH_ENTRY_LARGE_AT_START 0xc0000003u

enum fh_page_kind { FH_PAGE_FOREIGN, FH_PAGE_SLAB, FH_PAGE_HEAP, FH_PAGE_LARGE };

FH_INLINE uint32_t fh_entry_of_slab(uint32_t owner, uint32_t object_bytes)
{
    return owner << FH_ENTRY_OWNER_SHIFT | object_bytes;
}
FH_INLINE uint32_t fh_entry_of_heap(uint32_t heap) { return FH_ENTRY_HEAP | heap << FH_ENTRY_OWNER_SHIFT; }
FH_INLINE enum fh_page_kind fh_entry_kind(uint32_t entry)
{
    if (entry == 0) return FH_PAGE_FOREIGN;
    if (!(entry & 0x80000000u)) return FH_PAGE_SLAB;
    return entry >= FH_ENTRY_LARGE ? FH_PAGE_LARGE : FH_PAGE_HEAP;
}
FH_INLINE bool fh_entry_is_heap(uint32_t entry) { return entry >> 30 == FH_ENTRY_HEAP >> 30; }
FH_INLINE uint32_t fh_entry_of_large(const void *pointer)
{
    return (uintptr_t)pointer % FH_PAGEMAP_GRAIN ? FH_ENTRY_LARGE : FH_ENTRY_LARGE_AT_START;
}
/* The owner of a slab page, or the heap of a heap page. */
FH_INLINE uint32_t fh_entry_owner(uint32_t entry)
{
    return (entry >> FH_ENTRY_OWNER_SHIFT) & (FH_ENTRY_OWNER_LIMIT - 1);
}

extern uint32_t *fh_pagemap_root[FH_PAGEMAP_ROOT_ENTRIES];

/* Never faults, whatever the pointer. Bits above 48 are not looked at: a pointer that has some is caught later. */
FH_INLINE uint32_t fh_pagemap_get(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    const uint32_t *leaf = fh_load_relaxed(&fh_pagemap_root[(uint16_t)(address >> FH_PAGEMAP_LEAF_SHIFT)]);
    if (FH_UNLIKELY(!leaf)) return 0;
    return fh_load_relaxed(&leaf[(uint32_t)address >> FH_PAGEMAP_GRAIN_SHIFT]);
}

/* Makes sure that the leaves for the range exist; false when the kernel refuses the memory. */
bool fh_pagemap_prepare(const void *start, size_t size_bytes);
/* Sets the entries of all pages that the range, which is not empty, touches. The leaves must exist. */
void fh_pagemap_set(const void *start, size_t size_bytes, uint32_t entry);

/* Bytes of the leaves that are in memory, of all that is mapped for them. */
size_t fh_pagemap_resident_bytes(void);

/* The first page at or above `from` with an entry that is not 0; 0 when there is none. For walks. */
uintptr_t fh_pagemap_next(uintptr_t from);
/* The last page at or below `from`, within `limit_bytes`, with an entry that is not 0; 0 when there is none. */
uintptr_t fh_pagemap_previous(uintptr_t from, size_t limit_bytes);

#endif
