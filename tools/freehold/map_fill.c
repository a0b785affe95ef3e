/*
 * map_fill.c - what each cell of a map holds: one walk over the heap.
 *
 * Blocks come in address order, so everything about a page is known when the walk has left it; then it is seen whether
 * few live bytes keep it.
 */
#include "map.h"

#include <stdlib.h>
#include <string.h>

enum { TAG_BYTES = 8, OWNER_SLOTS = 4, KEPT_BY_LESS_THAN = 8 /* live bytes are at most page / this */ };

/* Beside each cell, until the frame is complete. Of more owners than slots those with the most bytes are found, if they
 * have much more than the rest ("space saving"). */
struct tally {
    uint64_t kinds[FH_MAP_KINDS];
    struct fh_map_share owners[OWNER_SLOTS];
};

struct fill {
    const struct fh_map *map;
    struct fh_map_frame *frame;
    struct fh_image *image;
    struct tally *tallies;
    bool knows_pages;
    /* Where the walk is. */
    unsigned shift;
    uint64_t first_cell; /* number of the region's first one */
    size_t first;        /* its place in the frame */
    size_t count;        /* as many of the region's cells are there */
    struct page {
        uint64_t start;
        uint64_t live_bytes, idle_bytes;
        uint32_t live_blocks;
        bool begins_within; /* the first of its live blocks began on the page before */
    } page;
    bool last_was_pinned; /* the page before that one */
};

/* The cell around the address; NULL where the region has grown since the grid was made. */
static size_t place_of(const struct fill *fill, uint64_t address)
{
    uint64_t cell = address >> fill->shift;
    return cell < fill->first_cell ? 0 : (size_t)(cell - fill->first_cell);
}

static struct fh_map_cell *cell_at(const struct fill *fill, uint64_t address)
{
    size_t place = place_of(fill, address);
    return place < fill->count ? &fill->frame->cells[fill->first + place] : NULL;
}

static struct tally *tally_at(const struct fill *fill, uint64_t address)
{
    size_t place = place_of(fill, address);
    return place < fill->count ? &fill->tallies[fill->first + place] : NULL;
}

/* The end of the part of [start, end) that is in start's cell. */
static uint64_t end_in_cell(const struct fill *fill, uint64_t start, uint64_t end)
{
    uint64_t next = ((start >> fill->shift) + 1) << fill->shift;
    return next < end ? next : end;
}

/* --- pages that few live bytes keep --- */

static void leave_page(struct fill *fill)
{
    const struct page *page = &fill->page;
    uint64_t page_bytes = fh_image_about(fill->image)->page_bytes;
    struct fh_map_cell *cell = cell_at(fill, page->start);
    bool is_pinned = cell && page->live_bytes && page->live_bytes * KEPT_BY_LESS_THAN <= page_bytes &&
                     fill->knows_pages && fh_image_resident(fill->image, page->start, 1, NULL);
    if (is_pinned) {
        cell->pinned_bytes += page->idle_bytes;
        cell->pinning_blocks += page->live_blocks - (fill->last_was_pinned && page->begins_within);
    }
    fill->last_was_pinned = is_pinned;
}

/* `bytes` of one item on one page; `object_bytes`: of each block, when it is live. `within`: how much of the first of
 * them lies in front of `start`. */
static void note_on_page(struct fill *fill, enum fh_item item, uint64_t start, uint64_t bytes, uint64_t object_bytes,
                         uint64_t within)
{
    uint64_t page_start = start & ~(uint64_t)(fh_image_about(fill->image)->page_bytes - 1);
    if (page_start != fill->page.start) {
        leave_page(fill);
        fill->page = (struct page){.start = page_start};
    }
    if (item == FH_LIVE) {
        fill->page.begins_within |= within != 0;
        fill->page.live_bytes += bytes;
        fill->page.live_blocks += (uint32_t)((within + bytes + object_bytes - 1) / object_bytes);
    } else if (item == FH_FREE || item == FH_CACHED) {
        fill->page.idle_bytes += bytes;
    }
}

static void note_pages(struct fill *fill, enum fh_item item, uint64_t start, uint64_t end, uint64_t object_bytes)
{
    uint64_t page = fh_image_about(fill->image)->page_bytes;
    uint64_t first_end = (start & ~(page - 1)) + page, last_start = (end - 1) & ~(page - 1);
    note_on_page(fill, item, start, (end < first_end ? end : first_end) - start, object_bytes, 0);
    if (last_start >= first_end) /* pages between have nothing else: nobody shares them */
        note_on_page(fill, item, last_start, end - last_start, object_bytes, (last_start - start) % object_bytes);
}

/* --- charging --- */

static void charge_cell(struct fill *fill, struct fh_map_cell *cell, enum fh_item item, uint64_t start, uint64_t end)
{
    uint64_t swapped = 0, resident = item == FH_UNTOUCHED ? 0 : end - start;
    if (fill->knows_pages || item == FH_METADATA) /* tables are mostly untouched, which a core shows as well */
        resident = fh_image_resident(fill->image, start, end - start, &swapped);
    cell->bytes[item] += end - start;
    cell->resident[item] += resident;
    cell->swapped_bytes += swapped;
}

static void charge(struct fill *fill, enum fh_item item, uint64_t start, uint64_t bytes, uint64_t object_bytes)
{
    uint64_t end = start + bytes;
    if (bytes == 0) return;
    for (uint64_t at = start, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct fh_map_cell *cell = cell_at(fill, at);
        if (cell) charge_cell(fill, cell, item, at, next);
        else fill->frame->missed_bytes += next - at;
    }
    note_pages(fill, item, start, end, object_bytes);
}

/* Pages of a free chunk that went back to the kernel. */
static void charge_purged(struct fill *fill, uint64_t start, uint64_t end)
{
    charge(fill, FH_UNTOUCHED, start, end - start, 1);
    for (uint64_t at = start, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct fh_map_cell *cell = cell_at(fill, at);
        if (cell) cell->purged_bytes += next - at;
    }
}

static void tally_kind(struct fill *fill, uint32_t kind, uint64_t start, uint64_t bytes)
{
    for (uint64_t at = start, end = start + bytes, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct tally *tally = tally_at(fill, at);
        if (tally) tally->kinds[kind] += next - at;
    }
}

static void add_owner(struct tally *tally, uint32_t owner, uint64_t bytes)
{
    struct fh_map_share *least = &tally->owners[0];
    for (int i = 0; i < OWNER_SLOTS; i++) {
        struct fh_map_share *share = &tally->owners[i];
        if (share->bytes && share->number == owner) {
            share->bytes += bytes;
            return;
        }
        if (share->bytes < least->bytes) least = share;
    }
    least->number = owner;
    least->bytes += bytes;
}

static void tally_owner(struct fill *fill, uint32_t owner, uint64_t start, uint64_t bytes)
{
    for (uint64_t at = start, end = start + bytes, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct tally *tally = tally_at(fill, at);
        if (tally) add_owner(tally, owner, next - at);
    }
}

/* --- the walk --- */

/* Finds the cells of a region: they follow each other, if the region is still as large as when the grid was made. */
static void enter_region(struct fill *fill, const struct fh_region *region)
{
    const struct fh_map_band *band = fh_map_band_of(fill->map, region);
    leave_page(fill);
    fill->page = (struct page){.start = UINT64_MAX};
    fill->count = 0;
    if (!band) return;
    const uint64_t *starts = fill->map->starts + band->first;
    uint64_t start = region->start >> band->cell_shift << band->cell_shift;
    size_t low = 0, high = band->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (starts[middle] < start) low = middle + 1;
        else high = middle;
    }
    fill->shift = band->cell_shift;
    fill->first_cell = start >> fill->shift;
    fill->first = band->first + low;
    while (low + fill->count < band->count &&
           starts[low + fill->count] == start + ((uint64_t)fill->count << fill->shift) &&
           starts[low + fill->count] < region->start + region->bytes)
        fill->count++;
}

static void charge_mostly_untouched(struct fill *fill, const struct fh_region *region)
{
    for (uint64_t at = region->start, end = at + region->bytes, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct fh_map_cell *cell = cell_at(fill, at);
        uint64_t swapped = 0, resident = fh_image_resident(fill->image, at, next - at, &swapped);
        if (!cell) {
            fill->frame->missed_bytes += next - at;
            continue;
        }
        cell->bytes[FH_METADATA] += resident + swapped;
        cell->resident[FH_METADATA] += resident;
        cell->swapped_bytes += swapped;
        cell->bytes[FH_UNTOUCHED] += next - at - resident - swapped;
    }
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct fill *fill = arg;
    uint64_t end = region->start + region->bytes, head_bytes = fh_image_root(image)->segment_head_bytes;
    enter_region(fill, region);
    switch (region->kind) {
    case FH_REGION_SEGMENT:
        charge(fill, FH_METADATA, region->start, head_bytes, 1);
        charge(fill, FH_METADATA, end - fh_image_root(image)->segment_tail_bytes,
               fh_image_root(image)->segment_tail_bytes, 1);
        break;
    case FH_REGION_LARGE: {
        struct fh_map_cell *cell = cell_at(fill, region->pointer);
        charge(fill, FH_METADATA, region->start, region->pointer - region->start, 1);
        charge(fill, region->is_free ? FH_FREE : FH_LIVE, region->pointer, end - region->pointer, region->bytes);
        tally_kind(fill, FH_MAP_LARGE, region->start, region->bytes);
        if (cell && !region->is_free) cell->live_blocks++;
        break;
    }
    case FH_REGION_PAGEMAP:
    case FH_REGION_SAMPLES: charge_mostly_untouched(fill, region); break;
    case FH_REGION_STATES: charge(fill, FH_METADATA, region->start, region->bytes, 1); break;
    default: break;
    }
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct fill *fill = arg;
    uint64_t end = chunk->start + chunk->bytes, usable = chunk->bytes - TAG_BYTES;
    struct fh_map_cell *cell = cell_at(fill, chunk->start);
    (void)image, (void)region;
    switch (chunk->is) {
    case FH_IS_LIVE:
    case FH_IS_CACHED:
        charge(fill, FH_METADATA, chunk->start, TAG_BYTES, 1);
        charge(fill, chunk->is == FH_IS_LIVE ? FH_LIVE : FH_CACHED, chunk->start + TAG_BYTES, usable, usable);
        tally_kind(fill, FH_MAP_CHUNKS, chunk->start, chunk->bytes);
        if (cell && chunk->is == FH_IS_LIVE) cell->live_blocks++;
        break;
    case FH_IS_FREE:
        if (chunk->purged_to == 0) {
            charge(fill, FH_FREE, chunk->start, chunk->bytes, 1);
            break;
        }
        charge(fill, FH_FREE, chunk->start, chunk->purged_from - chunk->start, 1);
        charge_purged(fill, chunk->purged_from, chunk->purged_to);
        charge(fill, FH_FREE, chunk->purged_to, end - chunk->purged_to, 1);
        break;
    case FH_IS_TOP:
        charge(fill, FH_FREE, chunk->start, chunk->untouched_from - chunk->start, 1);
        charge(fill, FH_UNTOUCHED, chunk->untouched_from, end - chunk->untouched_from, 1);
        break;
    }
}

/* The first object from `i` on for which `bits` is not `value`; `end` if there is none. */
static uint32_t run_end(const uint64_t *bits, uint32_t i, uint32_t end, bool value)
{
    while (i < end) {
        uint64_t word = (value ? ~bits[i / 64] : bits[i / 64]) >> i % 64;
        if (word) {
            i += (uint32_t)__builtin_ctzll(word);
            return i < end ? i : end;
        }
        i += 64 - i % 64;
    }
    return end;
}

static void count_live(struct fill *fill, uint64_t start, uint64_t end, uint64_t object_bytes)
{
    for (uint64_t at = start, next; at < end; at += (next - at + object_bytes - 1) / object_bytes * object_bytes) {
        next = end_in_cell(fill, at, end);
        struct fh_map_cell *cell = cell_at(fill, at);
        if (cell) cell->live_blocks += (uint32_t)((next - at + object_bytes - 1) / object_bytes);
    }
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg)
{
    struct fill *fill = arg;
    uint64_t extra = fh_image_root(image)->slab_extra_bytes, size = slab->class_bytes,
             objects = slab->start + slab->first;
    (void)region;
    charge(fill, FH_METADATA, slab->start, extra, 1);
    charge(fill, FH_ROUNDING, slab->start + extra, slab->first - extra, 1);
    for (uint32_t i = 0, next; i < slab->carved; i = next) {
        bool live = fh_bit_of(slab->live, i), listed = fh_bit_of(slab->listed, i);
        uint32_t live_end = run_end(slab->live, i, slab->carved, live);
        next = run_end(slab->listed, i, live_end, listed);
        enum fh_item item = live ? FH_LIVE : listed ? FH_FREE : FH_CACHED;
        charge(fill, item, objects + i * size, (next - i) * size, size);
        if (live) count_live(fill, objects + i * size, objects + next * size, size);
    }
    uint64_t uncarved = objects + slab->carved * size, tail = objects + slab->capacity * size;
    charge(fill, FH_FREE, uncarved, tail - uncarved, 1);
    charge(fill, FH_ROUNDING, tail, slab->start + slab->bytes - tail, 1);
    tally_kind(fill, slab->class_bytes / 16, slab->start, slab->bytes);
    tally_owner(fill, slab->owner, slab->start, slab->bytes);
}

static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    struct fill *fill = arg;
    (void)image, (void)region;
    for (uint64_t at = start, end = start + bytes, next; at < end; at = next) {
        next = end_in_cell(fill, at, end);
        struct fh_map_cell *cell = cell_at(fill, at);
        if (cell) cell->gap_bytes += next - at;
        else fill->frame->missed_bytes += next - at;
    }
}

/* --- the frame --- */

/* The largest of `count` shares, the most first. */
static void keep_largest(const struct fh_map_share *all, size_t count, struct fh_map_share *kept, size_t most)
{
    for (size_t i = 0; i < count; i++) {
        struct fh_map_share moved = all[i];
        for (size_t j = 0; j < most && moved.bytes; j++) {
            if (kept[j].bytes < moved.bytes) {
                struct fh_map_share smaller = kept[j];
                kept[j] = moved;
                moved = smaller;
            }
        }
    }
}

static void complete(struct fill *fill)
{
    for (size_t i = 0; i < fill->map->cell_count; i++) {
        struct fh_map_cell *cell = &fill->frame->cells[i];
        const struct tally *tally = &fill->tallies[i];
        struct fh_map_share kinds[FH_MAP_KINDS];
        for (uint32_t j = 0; j < FH_MAP_KINDS; j++) kinds[j] = (struct fh_map_share){j, tally->kinds[j]};
        keep_largest(kinds, FH_MAP_KINDS, cell->kinds, FH_MAP_TOP_KINDS);
        keep_largest(tally->owners, OWNER_SLOTS, cell->owners, FH_MAP_TOP_OWNERS);
    }
    struct fh_map_band all = {.first = 0, .count = fill->map->cell_count};
    fh_map_sum(fill->frame, &all, &fill->frame->total);
}

static void read_threads(struct fh_image *image, struct fh_map_frame *frame)
{
    struct fh_thread_names names;
    fh_thread_names_open(image, &names);
    frame->threads = calloc(names.count + 1, sizeof(*frame->threads));
    frame->thread_count = frame->threads ? names.count : 0;
    for (size_t i = 0; i < frame->thread_count; i++) {
        frame->threads[i].id = names.threads[i].id;
        fh_thread_name(&names, names.threads[i].id, frame->threads[i].name);
    }
    fh_thread_names_close(&names);
}

bool fh_map_fill(const char *verb, const struct fh_map *map, struct fh_image *image, struct fh_map_frame *frame)
{
    const struct fh_image_root *root = fh_image_root(image);
    struct fill fill = {.map = map, .frame = frame, .image = image, .page.start = UINT64_MAX};
    frame->about = *fh_image_about(image);
    frame->cells = calloc(map->cell_count + 1, sizeof(*frame->cells));
    fill.tallies = calloc(map->cell_count + 1, sizeof(*fill.tallies));
    fill.knows_pages = frame->about.knows_pages;
    struct fh_image_walker walker = {
        .arg = &fill, .region = on_region, .chunk = on_chunk, .slab = on_slab, .gap = on_gap, .progress = verb};
    bool good = frame->cells && fill.tallies && fh_image_walk(image, &walker);
    if (good) {
        leave_page(&fill);
        complete(&fill);
        read_threads(image, frame);
        frame->stranded_bytes =
            fh_image_read_number(image, FH_IMAGE_AT(root->wholesale, root->wholesale_stranded_bytes), 8);
    }
    free(fill.tallies);
    return good;
}
