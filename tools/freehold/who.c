/*
 * who.c - what is at an address: one walk finds the block, another one what else is on its pages.
 */
#include "who.h"

#include <string.h>

enum { TAG = 8 };

const char *const fh_who_names[] = {"slab object", "chunk",    "top",           "large block",    "slab",    "segment",
                                    "damaged",     "page map", "thread states", "sample tables", "foreign", "nothing"};

static bool is_in(uint64_t address, uint64_t start, uint64_t bytes) { return address - start < bytes; }

/* A block, or slab, that the walk passes: the one below, at first, and then the one above. */
static void pass(struct fh_who *who, struct fh_who_block block)
{
    if (who->wants_above)
        who->above = block;
    who->wants_above = false;
    if (!who->found)
        who->last = block;
}

static void found(struct fh_who *who, enum fh_who_is is, struct fh_who_block block)
{
    who->is = is;
    who->block = block;
    who->found = true;
    who->below = who->last;
    who->free_below = who->free_run;
    who->wants_above = true;
    who->live_above = 0;
}

static void enter_segment(struct fh_who *who, const struct fh_region *region)
{
    if (who->found)
        return;
    who->last = (struct fh_who_block){0};
    who->free_run = 0;
    if (!is_in(who->address, region->start, region->bytes))
        return;
    who->heap = region->heap;
    who->segment_start = region->start;
    who->segment_bytes = region->bytes;
    who->is_growing = region->is_growing;
    who->is = FH_WHO_SEGMENT; /* unless a chunk is found */
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct fh_who *who = arg;
    (void)image;
    who->wants_above = false;
    if (region->kind == FH_REGION_SEGMENT) {
        enter_segment(who, region);
        return;
    }
    if (who->found || !is_in(who->address, region->start, region->bytes))
        return;
    static const enum fh_who_is kinds[] = {[FH_REGION_SLAB] = FH_WHO_SLAB_REST,
                                           [FH_REGION_LARGE] = FH_WHO_LARGE,
                                           [FH_REGION_PAGEMAP] = FH_WHO_PAGEMAP,
                                           [FH_REGION_STATES] = FH_WHO_STATES,
                                           [FH_REGION_SAMPLES] = FH_WHO_SAMPLES};
    who->is = kinds[region->kind];
    who->segment_start = region->start;
    who->segment_bytes = region->bytes;
    who->last = (struct fh_who_block){0};
    if (region->kind == FH_REGION_LARGE) {
        uint64_t usable = region->start + region->bytes - region->pointer;
        found(who, FH_WHO_LARGE,
              (struct fh_who_block){region->pointer, usable, region->is_free ? FH_IS_FREE : FH_IS_LIVE, false});
        who->wants_above = false;
    }
}

static bool is_same_segment(const struct fh_who *who, const struct fh_region *region)
{
    return region->start == who->segment_start;
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct fh_who *who = arg;
    struct fh_who_block block = {chunk->start + TAG, chunk->bytes - TAG, chunk->is, false};
    (void)image;
    bool is_live = chunk->is == FH_IS_LIVE;
    if (!who->found && is_in(who->address, chunk->start, chunk->bytes)) {
        found(who, chunk->is == FH_IS_TOP ? FH_WHO_TOP : FH_WHO_CHUNK, block);
        return;
    }
    pass(who, block);
    if (who->found)
        who->live_above += is_live && is_same_segment(who, region);
    else
        who->free_run = is_live ? 0 : who->free_run + chunk->bytes;
}

static struct fh_who_block object_at(const struct fh_image_slab *slab, uint32_t i)
{
    if (i >= slab->carved)
        return (struct fh_who_block){0};
    enum fh_block_is is = fh_bit_of(slab->listed, i) ? FH_IS_FREE : FH_IS_CACHED;
    if (fh_bit_of(slab->live, i))
        is = FH_IS_LIVE;
    return (struct fh_who_block){slab->start + slab->first + (uint64_t)i * slab->class_bytes, slab->class_bytes, is,
                                 false};
}

static void find_in_slab(struct fh_who *who, const struct fh_region *region, const struct fh_image_slab *slab)
{
    uint64_t offset = who->address - slab->start - slab->first, i = offset / slab->class_bytes;
    who->slab = *slab;
    if (region->kind == FH_REGION_SLAB) {
        who->heap = UINT32_MAX;
        who->segment_start = region->start;
    }
    if (who->address < slab->start + slab->first || i >= slab->carved) {
        found(who, FH_WHO_SLAB_REST, (struct fh_who_block){0});
        return;
    }
    found(who, FH_WHO_OBJECT, object_at(slab, (uint32_t)i));
    who->below = i ? object_at(slab, (uint32_t)i - 1) : (struct fh_who_block){0};
    who->above = object_at(slab, (uint32_t)i + 1);
    who->wants_above = false;
    for (uint32_t n = 0; n < slab->carved; n++) {
        if (n != i && fh_bit_of(slab->live, n)) {
            who->live_above += n > i;
            who->free_below = n < i ? 0 : who->free_below;
        } else if (n < i) {
            who->free_below += slab->class_bytes;
        }
    }
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg)
{
    struct fh_who *who = arg;
    (void)image;
    if (!who->found && is_in(who->address, slab->start, slab->bytes)) {
        find_in_slab(who, region, slab);
        return;
    }
    pass(who, (struct fh_who_block){slab->start, slab->bytes, slab->live_count ? FH_IS_LIVE : FH_IS_CACHED, true});
    if (who->found)
        who->live_above += is_same_segment(who, region) ? slab->live_count : 0;
    else
        who->free_run = slab->live_count ? 0 : who->free_run + slab->bytes;
}

static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    struct fh_who *who = arg;
    (void)image, (void)region;
    if (!who->found && is_in(who->address, start, bytes))
        found(who, FH_WHO_DAMAGED, (struct fh_who_block){0});
}

/* --- what else is on its pages --- */

static uint64_t overlap(const struct fh_who *who, uint64_t start, uint64_t bytes)
{
    uint64_t end = start + bytes;
    start = start > who->page_from ? start : who->page_from;
    end = end < who->page_to ? end : who->page_to;
    return start < end ? end - start : 0;
}

static void add(struct fh_who *who, enum fh_block_is is, uint64_t start, uint64_t bytes)
{
    uint64_t part = overlap(who, start, bytes);
    if (part == 0)
        return;
    if (is == FH_IS_LIVE) {
        who->pages_live += part;
        who->pages_others += start != who->block.start;
    } else if (is == FH_IS_CACHED) {
        who->pages_cached += part;
    } else {
        who->pages_free += part;
    }
}

static void add_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                      void *arg)
{
    (void)image, (void)region;
    add(arg, chunk->is, chunk->start + TAG, chunk->bytes - TAG);
}

static void add_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab,
                     void *arg)
{
    struct fh_who *who = arg;
    (void)image, (void)region;
    if (overlap(who, slab->start, slab->bytes) == 0)
        return;
    for (uint32_t i = 0; i < slab->carved; i++) {
        struct fh_who_block object = object_at(slab, i);
        add(who, object.is, object.start, object.bytes);
    }
    uint64_t carved = (uint64_t)slab->carved * slab->class_bytes, all = (uint64_t)slab->capacity * slab->class_bytes;
    add(who, FH_IS_FREE, slab->start + slab->first + carved, all - carved);
}

bool fh_who_find(struct fh_image *image, uint64_t address, struct fh_who *who)
{
    memset(who, 0, sizeof(*who));
    who->address = address;
    who->heap = UINT32_MAX;
    who->is = FH_WHO_NOTHING;
    const struct fh_image_walker finder = {who, on_region, on_chunk, on_slab, on_gap, "who"};
    if (!fh_image_walk(image, &finder))
        return false;
    who->vma = fh_image_vma_at(image, address);
    if (who->is == FH_WHO_NOTHING && who->vma)
        who->is = FH_WHO_FOREIGN;
    bool shares_pages = who->is == FH_WHO_OBJECT || who->is == FH_WHO_CHUNK;
    if (!shares_pages || who->block.is != FH_IS_LIVE)
        return true;
    uint64_t page = fh_image_about(image)->page_bytes;
    who->page_from = who->block.start & ~(page - 1);
    who->page_to = (who->block.start + who->block.bytes + page - 1) & ~(page - 1);
    who->pages_bytes = who->page_to - who->page_from;
    const struct fh_image_walker adder = {who, NULL, add_chunk, add_slab, NULL, "who"};
    return fh_image_walk(image, &adder);
}
