/*
 * pagemap.c - see pagemap.h.
 *
 * Layer: pages. Owns the root; leaves are never given back.
 */
#include "pagemap.h"

#include "os.h"
#include "wholesale.h"

uint32_t *fh_pagemap_root[FH_PAGEMAP_ROOT_ENTRIES];

#define LEAF_BYTES (FH_PAGEMAP_LEAF_ENTRIES * sizeof(uint32_t))

/* The leaves, in the order of their making, for the account; a process has few. */
enum { LEAVES_LISTED = 64 };
static uint32_t *leaves[LEAVES_LISTED];
static uint32_t leaf_count;

/*
 * For walks, which would otherwise read 4 MiB for each leaf, and have them in memory from then on: a bit for each 64th
 * of a leaf, that is, for each 64 MiB of address space, which is set once an entry there has ever been.
 */
enum { PART_ENTRIES = FH_PAGEMAP_LEAF_ENTRIES / 64 };
static uint64_t used_parts[FH_PAGEMAP_ROOT_ENTRIES]; /* atomic */

static void note_parts(uintptr_t first_page, uintptr_t last_page)
{
    uintptr_t part = first_page / PART_ENTRIES;
    do {
        uint64_t *parts = &used_parts[part / 64], bit = (uint64_t)1 << part % 64;
        if (FH_UNLIKELY(!(fh_load_relaxed(parts) & bit))) fh_fetch_or_release(parts, bit);
    } while (FH_UNLIKELY(++part <= last_page / PART_ENTRIES));
}

static void note_leaf(uint32_t *leaf)
{
    uint32_t index = fh_fetch_add_relaxed(&leaf_count, 1);
    if (index < LEAVES_LISTED) fh_store_release(&leaves[index], leaf);
    fh_fetch_add_relaxed(&fh_wholesale.pagemap_bytes, LEAF_BYTES);
}

static bool install_leaf(size_t index)
{
    if (fh_load_acquire(&fh_pagemap_root[index])) return true;
    uint32_t *leaf = fh_wholesale_map_own(LEAF_BYTES);
    if (!leaf) return false;
    uint32_t *nothing = NULL;
    if (!fh_cas_acq_rel(&fh_pagemap_root[index], &nothing, leaf)) fh_wholesale_discard_own(leaf, LEAF_BYTES);
    else note_leaf(leaf);
    return true;
}

bool fh_pagemap_prepare(const void *start, size_t size_bytes)
{
    uintptr_t first = (uintptr_t)start >> FH_PAGEMAP_LEAF_SHIFT;
    uintptr_t last = ((uintptr_t)start + size_bytes - 1) >> FH_PAGEMAP_LEAF_SHIFT;
    if (last >= FH_PAGEMAP_ROOT_ENTRIES) return false;
    for (uintptr_t i = first; i <= last; i++)
        if (!install_leaf(i)) return false;
    return true;
}

void fh_pagemap_set(const void *start, size_t size_bytes, uint32_t entry)
{
    uintptr_t page = (uintptr_t)start >> FH_PAGEMAP_GRAIN_SHIFT;
    uintptr_t last = ((uintptr_t)start + size_bytes - 1) >> FH_PAGEMAP_GRAIN_SHIFT;
    FH_ASSERT(size_bytes > 0);
    if (entry) note_parts(page, last);
    do {
        uint32_t *leaf = fh_load_relaxed(&fh_pagemap_root[page / FH_PAGEMAP_LEAF_ENTRIES]);
        fh_store_relaxed(&leaf[page % FH_PAGEMAP_LEAF_ENTRIES], entry);
    } while (++page <= last);
}

size_t fh_pagemap_resident_bytes(void)
{
    size_t resident = 0;
    uint32_t count = fh_load_acquire(&leaf_count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *leaf = i < LEAVES_LISTED ? fh_load_acquire(&leaves[i]) : NULL;
        resident += leaf ? fh_os_resident_within(leaf, LEAF_BYTES) : LEAF_BYTES;
    }
    return resident;
}

uintptr_t fh_pagemap_next(uintptr_t from)
{
    uintptr_t page = from >> FH_PAGEMAP_GRAIN_SHIFT;
    while (page / FH_PAGEMAP_LEAF_ENTRIES < FH_PAGEMAP_ROOT_ENTRIES) {
        uintptr_t index = page / FH_PAGEMAP_LEAF_ENTRIES;
        uint64_t parts = fh_load_acquire(&used_parts[index]) >> page % FH_PAGEMAP_LEAF_ENTRIES / PART_ENTRIES;
        if (!parts) {
            page = (index + 1) * FH_PAGEMAP_LEAF_ENTRIES;
            continue;
        }
        if (!(parts & 1)) page = fh_align_down(page, PART_ENTRIES) + (uintptr_t)__builtin_ctzll(parts) * PART_ENTRIES;
        const uint32_t *leaf = fh_load_acquire(&fh_pagemap_root[index]);
        do {
            if (fh_load_relaxed(&leaf[page % FH_PAGEMAP_LEAF_ENTRIES])) return page << FH_PAGEMAP_GRAIN_SHIFT;
        } while (++page % PART_ENTRIES);
    }
    return 0;
}

uintptr_t fh_pagemap_previous(uintptr_t from, size_t limit_bytes)
{
    uintptr_t page = (from & (((uintptr_t)1 << 48) - 1)) & ~(FH_PAGEMAP_GRAIN - 1);
    for (size_t gone = 0; gone <= limit_bytes && page; gone += FH_PAGEMAP_GRAIN, page -= FH_PAGEMAP_GRAIN)
        if (fh_pagemap_get((void *)page)) return page;
    return 0;
}
