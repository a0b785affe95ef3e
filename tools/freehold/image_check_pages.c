/*
 * image_check_pages.c - P1: the page map names a page's kind and owner exactly while it is ours.
 */
#include "image_check.h"

#include <stdlib.h>

enum { GRAIN_SHIFT = 12, GRAIN = 1 << GRAIN_SHIFT, PIECE = 16384, LEAF_ENTRIES = 1 << 20, ROOT_ENTRIES = 65536 };

uint32_t fh_check_entry_at(struct fh_check *check, uint64_t address)
{
    struct fh_check_pages *pages = &check->pages;
    struct fh_image *image = check->image;
    uint64_t index = address >> GRAIN_SHIFT, piece = index / PIECE;
    if (!pages->entries) {
        pages->entries = malloc(PIECE * sizeof(*pages->entries));
        pages->entries_for = pages->leaf_for = UINT64_MAX;
        if (!pages->entries) {
            check->out_of_memory = true;
            return 0;
        }
    }
    if (address >> 48)
        return 0;
    if (piece != pages->entries_for) {
        if (address >> 32 != pages->leaf_for) {
            pages->leaf_for = address >> 32;
            pages->leaf = fh_image_read_number(image, image->root.pagemap_root + (address >> 32) * 8, 8);
        }
        uint64_t at = pages->leaf + (index % LEAF_ENTRIES & ~(uint64_t)(PIECE - 1)) * sizeof(*pages->entries);
        for (size_t i = 0; !pages->leaf && i < PIECE; i++)
            pages->entries[i] = 0;
        if (pages->leaf)
            image->source->read(image, at, pages->entries, PIECE * sizeof(*pages->entries));
        pages->entries_for = piece;
    }
    return pages->entries[index % PIECE];
}

void fh_check_entries(struct fh_check *check, uint64_t start, uint64_t end, uint32_t entry)
{
    for (uint64_t page = start & ~(uint64_t)(GRAIN - 1); page < end; page += GRAIN) {
        if (fh_check_entry_at(check, page) == entry)
            continue;
        fh_check_violated(check, "P1", page, "page map entry is not what the page is");
        return;
    }
}

/* An entry that names something outside of all segments. */
static uint64_t check_entry(struct fh_check *check, uint64_t page, uint32_t entry, const struct fh_region *region)
{
    if (entry >> 30 == 3) {
        if (!region || region->kind != FH_REGION_LARGE)
            fh_check_violated(check, "P1", page, "page map names a large block whose head is none");
        return page + GRAIN;
    }
    if (entry >> 31 == 0) {
        if (!region || region->kind != FH_REGION_SLAB)
            fh_check_violated(check, "P1", page, "page map names a slab where there is none");
        return region ? region->start + region->bytes : page + (1 << 16);
    }
    if (!check->is_torn)
        fh_check_violated(check, "P1", page, "page map names a heap where there is none");
    return page + GRAIN;
}

static void check_leaf(struct fh_check *check, uint64_t base)
{
    const struct fh_region *regions = check->image->regions, *end = regions + check->image->region_count;
    const struct fh_region *region = regions;
    for (uint64_t page = base; page < base + ((uint64_t)LEAF_ENTRIES << GRAIN_SHIFT);) {
        uint32_t entry = fh_check_entry_at(check, page);
        if (entry == 0) {
            page += GRAIN;
            continue;
        }
        while (region < end && region->start + region->bytes <= page)
            region++;
        const struct fh_region *here = region < end && region->start < page + GRAIN ? region : NULL;
        if (here && here->kind == FH_REGION_SEGMENT)
            page = (here->start + here->bytes + GRAIN - 1) & ~(uint64_t)(GRAIN - 1);
        else
            page = check_entry(check, page, entry, here);
    }
}

void fh_check_whole_map(struct fh_check *check)
{
    struct fh_image *image = check->image;
    enum { BATCH = 512 };
    uint64_t leaves[BATCH];
    for (uint64_t i = 0; i < ROOT_ENTRIES; i += BATCH) {
        image->source->read(image, image->root.pagemap_root + i * 8, leaves, sizeof(leaves));
        for (uint64_t n = 0; n < BATCH; n++) {
            if (leaves[n])
                check_leaf(check, (i + n) << 32);
        }
    }
}
