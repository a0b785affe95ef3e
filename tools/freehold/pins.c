/*
 * pins.c - the walk that finds what keeps free memory from going back: page by page, in address order.
 *
 * What is known at any time: of the page that the walk is on, its free bytes and the live blocks that touch it; and the
 * gap, free pages that lie below, for which the next live block will be charged.
 */
#include "pins.h"
#include "pins_sums.h"

#include <stdlib.h>
#include <string.h>

enum { TAG_BYTES = 8, LEAST_BLOCK = 16 };

struct holder {
    struct fh_pin_block block;
    struct fh_pin_owners owners;
    uint64_t start, end; /* with its tag */
};

struct finder {
    struct fh_image *image;
    struct fh_pins *pins;
    struct fh_sites *sites;
    uint64_t page_bytes;

    uint64_t page;                      /* where the walk is */
    uint64_t free_bytes, cached_bytes;  /* on that page */
    struct holder *holders;             /* the live blocks that touch it; room for as many as there can be */
    size_t holder_count, holder_room;

    uint64_t gap_bytes;     /* free pages below, in memory */
    bool is_cached_above;   /* since the gap began, a freed block that a thread keeps came */

    const struct fh_region *region;
    uint32_t region_number;
    uint64_t live_in_region;
    struct {
        uint64_t bytes; /* the last gap that was charged in this region; 0: none */
        bool is_slab;
        struct holder holder;      /* the block, or what all objects of the slab share */
        struct fh_image_slab slab; /* its live objects hold it */
    } last;
};

static uint64_t page_of(const struct finder *finder, uint64_t address) { return address & ~(finder->page_bytes - 1); }

/* Part `index` of `count` equal ones, which add up. */
static uint64_t part(uint64_t bytes, uint64_t count, uint64_t index) { return bytes / count + (index < bytes % count); }

static uint64_t resident(struct finder *finder, uint64_t start, uint64_t end)
{
    return start < end ? fh_image_resident(finder->image, start, end - start, NULL) : 0;
}

/* --- the page --- */

/* The walk has left the page: what is free there is charged; blocks that end on it are done with. */
static void settle_page(struct finder *finder)
{
    uint64_t bytes = finder->free_bytes + finder->cached_bytes, page_end = finder->page + finder->page_bytes;
    if (bytes && resident(finder, finder->page, page_end) == 0)
        bytes = 0;
    if (bytes && finder->holder_count == 0) {
        if (finder->cached_bytes)
            finder->pins->caches_bytes += bytes;
        else
            finder->gap_bytes += bytes;
    }
    size_t kept = 0;
    for (size_t i = 0; i < finder->holder_count; i++) {
        struct holder *holder = &finder->holders[i];
        holder->block.held[FH_PIN_PAGE] += part(bytes, finder->holder_count, i);
        if (holder->end > page_end) /* only the last can */
            finder->holders[kept++] = *holder;
        else
            fh_pins_charge(finder->pins, holder->owners, &holder->block);
    }
    finder->holder_count = kept;
    finder->free_bytes = finder->cached_bytes = 0;
}

static void go_to_page(struct finder *finder, uint64_t page)
{
    if (page == finder->page)
        return;
    settle_page(finder);
    finder->page = page;
    if (finder->holder_count && finder->holders[0].end <= page) { /* nothing was free on its last page */
        fh_pins_charge(finder->pins, finder->holders[0].owners, &finder->holders[0].block);
        finder->holder_count = 0;
    }
}

static void add_free(struct finder *finder, uint64_t start, uint64_t end, bool is_cached)
{
    for (uint64_t at = start; at < end;) {
        uint64_t page = page_of(finder, at), to = page + finder->page_bytes;
        go_to_page(finder, page);
        if (at == page && to <= end) { /* whole pages */
            to = page_of(finder, end);
            *(is_cached ? &finder->pins->caches_bytes : &finder->gap_bytes) += resident(finder, at, to);
        } else {
            to = to < end ? to : end;
            *(is_cached ? &finder->cached_bytes : &finder->free_bytes) += to - at;
        }
        at = to;
    }
    finder->is_cached_above |= is_cached;
}

static void add_holder(struct finder *finder, const struct holder *holder)
{
    if (finder->holder_count < finder->holder_room)
        finder->holders[finder->holder_count++] = *holder;
}

/* The gap below, for the one that comes now. */
static uint64_t take_gap(struct finder *finder)
{
    uint64_t bytes = finder->gap_bytes;
    finder->gap_bytes = 0;
    finder->is_cached_above = false;
    return bytes;
}

/* --- what the walk meets --- */

static void count_block(struct finder *finder, struct holder *holder)
{
    fh_pins_count(finder->pins, holder->owners, 1, holder->block.bytes);
    fh_pins_locate(finder->pins, finder->sites, &holder->block);
    fh_pins_count_at_site(finder->pins, &holder->block);
}

static void add_live_chunk(struct finder *finder, const struct fh_image_chunk *chunk)
{
    struct holder holder = {.start = chunk->start, .end = chunk->start + chunk->bytes};
    uint32_t heap = finder->region->heap;
    holder.block = (struct fh_pin_block){.address = chunk->start + TAG_BYTES,
                                         .bytes = chunk->bytes - TAG_BYTES,
                                         .heap = heap,
                                         .region = finder->region_number,
                                         .above = ++finder->live_in_region};
    holder.owners = fh_pins_owners_of_chunk(holder.block.bytes, heap);
    count_block(finder, &holder);
    go_to_page(finder, page_of(finder, chunk->start));
    uint64_t gap = take_gap(finder);
    holder.block.held[FH_PIN_CHUNK] = gap;
    add_holder(finder, &holder);
    if (gap) {
        finder->last.bytes = gap;
        finder->last.is_slab = false;
        finder->last.holder = holder;
    }
}

static void add_top(struct finder *finder, const struct fh_image_chunk *chunk)
{
    uint64_t page_end = page_of(finder, chunk->start) + finder->page_bytes;
    uint64_t end = page_end < chunk->untouched_from ? page_end : chunk->untouched_from;
    go_to_page(finder, page_of(finder, chunk->start));
    if (finder->holder_count)
        finder->free_bytes += end - chunk->start;
    else if (resident(finder, finder->page, page_end))
        finder->pins->kept_top_bytes += end - chunk->start;
    finder->pins->kept_top_bytes += resident(finder, end, chunk->untouched_from);
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct finder *finder = arg;
    uint64_t end = chunk->start + chunk->bytes;
    (void)image, (void)region;
    switch (chunk->is) {
    case FH_IS_LIVE:
        add_live_chunk(finder, chunk);
        break;
    case FH_IS_CACHED: /* the account has the tag as metadata */
        add_free(finder, chunk->start + TAG_BYTES, end, true);
        break;
    case FH_IS_FREE:
        /* A purged one without a span was changing while it was read. */
        add_free(finder, chunk->start, chunk->purged_to ? chunk->purged_from : end, false);
        if (chunk->purged_to)
            add_free(finder, chunk->purged_to, end, false);
        break;
    case FH_IS_TOP:
        add_top(finder, chunk);
        break;
    }
}

/* --- slabs --- */

/* The objects that touch a page: [*from, *to). */
static void objects_on(const struct fh_image_slab *slab, uint64_t page, uint64_t page_end, uint32_t *from, uint32_t *to)
{
    uint64_t first = slab->start + slab->first;
    uint64_t end = page_end > first ? (page_end - first + slab->class_bytes - 1) / slab->class_bytes : 0;
    *from = page > first ? (uint32_t)((page - first) / slab->class_bytes) : 0;
    *to = end < slab->capacity ? (uint32_t)end : slab->capacity;
    if (*from > *to)
        *from = *to;
}

static bool any_live(const struct fh_image_slab *slab, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to && i < slab->carved;) {
        uint64_t word = slab->live[i / 64] >> i % 64;
        if (word)
            return i + (uint32_t)__builtin_ctzll(word) < to;
        i += 64 - i % 64;
    }
    return false;
}

/* Bytes of the slab's objects on pages that no live one touches, in memory. */
static uint64_t free_pages(struct finder *finder, const struct fh_image_slab *slab)
{
    uint64_t first = slab->start + slab->first, end = first + (uint64_t)slab->capacity * slab->class_bytes, sum = 0;
    for (uint64_t page = page_of(finder, slab->start); page < end; page += finder->page_bytes) {
        uint64_t page_end = page + finder->page_bytes;
        uint32_t from, to;
        objects_on(slab, page, page_end, &from, &to);
        if (from < to && !any_live(slab, from, to))
            sum += resident(finder, page > first ? page : first, page_end < end ? page_end : end);
    }
    return sum;
}

static struct holder object_of(struct finder *finder, const struct fh_image_slab *slab, uint32_t i)
{
    struct holder holder = {.start = slab->start + slab->first + (uint64_t)i * slab->class_bytes};
    holder.end = holder.start + slab->class_bytes;
    holder.block = (struct fh_pin_block){.address = holder.start,
                                         .bytes = slab->class_bytes,
                                         .heap = finder->region->heap,
                                         .thread = slab->owner,
                                         .region = finder->region_number};
    return holder;
}

/* The objects of one page that live objects touch; `index` counts the slab's live ones. */
static void add_objects(struct finder *finder, const struct fh_image_slab *slab, uint64_t page, struct holder *shared,
                        uint32_t *index)
{
    uint64_t page_end = page + finder->page_bytes;
    uint32_t from, to, count = slab->live_count;
    objects_on(slab, page, page_end, &from, &to);
    for (uint32_t i = from; i < to; i++) {
        struct holder holder = object_of(finder, slab, i);
        if (i >= slab->carved || !fh_bit_of(slab->live, i)) {
            finder->free_bytes += (holder.end < page_end ? holder.end : page_end) -
                                  (holder.start > page ? holder.start : page);
        } else if (holder.start >= page) { /* else it was met on the page before */
            holder.owners = shared->owners;
            holder.block.above = ++finder->live_in_region;
            holder.block.held[FH_PIN_SLAB] = part(shared->block.held[FH_PIN_SLAB], count, *index);
            holder.block.held[FH_PIN_CHUNK] = part(shared->block.held[FH_PIN_CHUNK], count, (*index)++);
            fh_pins_locate(finder->pins, finder->sites, &holder.block);
            fh_pins_count_at_site(finder->pins, &holder.block);
            add_holder(finder, &holder);
        }
    }
}

static void add_live_slab(struct finder *finder, const struct fh_image_slab *slab, struct fh_pin_owners owners)
{
    struct holder shared = {.owners = owners};
    uint64_t first = slab->start + slab->first, end = first + (uint64_t)slab->capacity * slab->class_bytes;
    uint32_t index = 0;
    shared.block.held[FH_PIN_SLAB] = free_pages(finder, slab);
    shared.block.held[FH_PIN_CHUNK] = take_gap(finder);
    if (shared.block.held[FH_PIN_CHUNK]) {
        finder->last.bytes = shared.block.held[FH_PIN_CHUNK];
        finder->last.is_slab = true;
        finder->last.holder = shared;
        finder->last.slab = *slab;
    }
    for (uint64_t page = page_of(finder, slab->start); page < end; page += finder->page_bytes) {
        uint32_t from, to;
        objects_on(slab, page, page + finder->page_bytes, &from, &to);
        if (!any_live(slab, from, to))
            continue;
        go_to_page(finder, page);
        add_objects(finder, slab, page, &shared, &index);
    }
}

/* Nothing is free in it or below it: its objects need only be counted. */
static void count_full_slab(struct finder *finder, const struct fh_image_slab *slab)
{
    finder->live_in_region += slab->live_count;
    for (uint32_t i = 0; finder->sites && i < slab->carved; i++) {
        struct holder holder = object_of(finder, slab, i);
        fh_pins_locate(finder->pins, finder->sites, &holder.block);
        fh_pins_count_at_site(finder->pins, &holder.block);
    }
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab,
                    void *arg)
{
    struct finder *finder = arg;
    struct fh_pin_owners owners = fh_pins_owners_of_object(finder->pins, slab->class_bytes, slab->owner);
    (void)image, (void)region;
    go_to_page(finder, page_of(finder, slab->start));
    if (slab->live_count == 0) {
        *(slab->cached_count ? &finder->pins->caches_bytes : &finder->pins->kept_slab_bytes) +=
            free_pages(finder, slab);
        finder->is_cached_above |= slab->cached_count != 0;
        return;
    }
    fh_pins_count(finder->pins, owners, slab->live_count, (uint64_t)slab->live_count * slab->class_bytes);
    bool is_alone = ((slab->start | (slab->start + slab->bytes)) & (finder->page_bytes - 1)) == 0;
    bool is_beside_free = finder->gap_bytes != 0 || finder->free_bytes != 0 || finder->cached_bytes != 0;
    if (slab->live_count == slab->capacity && is_alone && !is_beside_free)
        count_full_slab(finder, slab);
    else
        add_live_slab(finder, slab, owners);
}

/* --- regions --- */

/* The last gap of a segment that ends in top is what the break would move down over. */
static void move_last_to_top(struct finder *finder)
{
    const struct fh_image_slab *slab = &finder->last.slab;
    if (!finder->last.is_slab) {
        fh_pins_move_to_top(finder->pins, finder->last.holder.owners, &finder->last.holder.block, finder->last.bytes);
        return;
    }
    uint32_t index = 0;
    for (uint32_t i = 0; i < slab->carved; i++) {
        if (!fh_bit_of(slab->live, i))
            continue;
        struct holder holder = object_of(finder, slab, i);
        fh_pins_locate(finder->pins, finder->sites, &holder.block);
        fh_pins_move_to_top(finder->pins, finder->last.holder.owners, &holder.block,
                            part(finder->last.bytes, slab->live_count, index++));
    }
}

static void end_region(struct finder *finder)
{
    go_to_page(finder, UINT64_MAX & ~(finder->page_bytes - 1)); /* no page of anybody's */
    if (finder->gap_bytes)
        *(finder->is_cached_above ? &finder->pins->caches_bytes : &finder->pins->kept_end_bytes) += finder->gap_bytes;
    if (finder->last.bytes && finder->region->is_growing)
        move_last_to_top(finder);
    fh_pins_end_region(finder->pins, finder->region_number, finder->live_in_region);
    take_gap(finder);
    finder->last.bytes = 0;
    finder->live_in_region = 0;
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct finder *finder = arg;
    struct fh_pins *pins = finder->pins;
    if (finder->region)
        end_region(finder);
    finder->region = region;
    finder->region_number++;
    if (region->kind != FH_REGION_SEGMENT && region->kind != FH_REGION_SLAB && region->kind != FH_REGION_LARGE)
        return;
    pins->resident_bytes += fh_image_resident(image, region->start, region->bytes, NULL);
    if (region->kind != FH_REGION_LARGE)
        return;
    uint64_t end = region->start + region->bytes;
    if (region->is_free) {
        pins->kept_mapping_bytes += resident(finder, region->pointer, end);
        return;
    }
    struct holder holder = {.block = {.address = region->pointer, .bytes = end - region->pointer}};
    holder.owners = fh_pins_owners_of_chunk(holder.block.bytes, UINT32_MAX);
    count_block(finder, &holder);
}

static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    (void)image, (void)region, (void)start;
    ((struct finder *)arg)->pins->gap_bytes += bytes;
}

bool fh_pins_find(struct fh_image *image, struct fh_sites *sites, const char *verb, size_t blocks_most,
                  struct fh_pins *pins)
{
    struct finder *finder = calloc(1, sizeof(*finder));
    memset(pins, 0, sizeof(*pins));
    pins->blocks = calloc(blocks_most + 1, sizeof(*pins->blocks));
    pins->block_room = blocks_most;
    if (finder) {
        finder->image = image;
        finder->pins = pins;
        finder->sites = sites && (fh_sites_mode(sites) & FH_SAMPLES_SITES) ? sites : NULL;
        finder->page_bytes = fh_image_about(image)->page_bytes;
        finder->holder_room = finder->page_bytes / LEAST_BLOCK + 2;
        finder->holders = calloc(finder->holder_room, sizeof(*finder->holders));
        finder->page = UINT64_MAX & ~(finder->page_bytes - 1);
    }
    struct fh_image_walker walker = {.arg = finder,
                                     .region = on_region,
                                     .chunk = on_chunk,
                                     .slab = on_slab,
                                     .gap = on_gap,
                                     .progress = verb};
    bool good = finder && finder->holders && pins->blocks && fh_image_walk(image, &walker);
    if (good && finder->region)
        end_region(finder);
    if (finder)
        free(finder->holders);
    free(finder);
    return good && !pins->out_of_memory;
}
