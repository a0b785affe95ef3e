/*
 * top_map.c - the heap as a row of cells: every cell an equal part of its addresses, with what is live and free in it.
 */
#include "top.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WALK_MOST = 1 << 30, /* of a larger heap, only what is in memory is read: a walk would take seconds */
    ADDRESS_COLUMNS = 16
};

struct mapper {
    struct fh_top *top;
    uint64_t start, bytes; /* of the region; 0 bytes for one that is not shown */
    uint64_t before;       /* bytes of the regions before it */
};

static bool is_shown(const struct fh_region *region)
{
    return region->kind == FH_REGION_SEGMENT || region->kind == FH_REGION_SLAB || region->kind == FH_REGION_LARGE;
}

/* Up to where, of [at, end) in the region, one cell goes on. */
static uint64_t cell_end(const struct mapper *mapper, uint64_t at, uint64_t end)
{
    uint64_t bytes = mapper->top->cell_bytes;
    uint64_t next = at + bytes - (mapper->before + (at - mapper->start)) % bytes;
    return next < end ? next : end;
}

static struct fh_top_cell *cell_of(const struct mapper *mapper, uint64_t at)
{
    return &mapper->top->cells[(mapper->before + (at - mapper->start)) / mapper->top->cell_bytes];
}

static void add(struct mapper *mapper, enum fh_top_item item, uint64_t start, uint64_t bytes)
{
    uint64_t end = start + bytes;
    if (start < mapper->start || end - mapper->start > mapper->bytes)
        return; /* changed while it was read */
    for (uint64_t at = start, next; at < end; at = next) {
        next = cell_end(mapper, at, end);
        cell_of(mapper, at)->bytes[item] += next - at;
    }
}

static void add_resident(struct mapper *mapper, enum fh_top_item item, uint64_t start, uint64_t bytes)
{
    for (uint64_t at = start, next; at < start + bytes; at = next) {
        next = cell_end(mapper, at, start + bytes);
        add(mapper, item, at, fh_image_resident(mapper->top->image, at, next - at, NULL));
    }
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct mapper *mapper = arg;
    (void)image;
    mapper->before += mapper->bytes;
    mapper->start = region->start;
    mapper->bytes = is_shown(region) ? region->bytes : 0;
    for (uint64_t at = region->start; at < region->start + mapper->bytes;
         at = cell_end(mapper, at, region->start + mapper->bytes)) {
        struct fh_top_cell *cell = cell_of(mapper, at);
        if (cell->start == 0)
            cell->start = at;
    }
    if (region->kind == FH_REGION_LARGE)
        add_resident(mapper, region->is_free ? FH_CELL_FREE : FH_CELL_LIVE, region->start, region->bytes);
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    static const enum fh_top_item items[] = {[FH_IS_LIVE] = FH_CELL_LIVE,
                                             [FH_IS_CACHED] = FH_CELL_CACHED,
                                             [FH_IS_FREE] = FH_CELL_FREE,
                                             [FH_IS_TOP] = FH_CELL_FREE};
    (void)image, (void)region;
    add_resident(arg, items[chunk->is], chunk->start, chunk->bytes);
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab,
                    void *arg)
{
    uint64_t live = (uint64_t)slab->live_count * slab->class_bytes;
    uint64_t cached = (uint64_t)slab->cached_count * slab->class_bytes;
    uint64_t resident = fh_image_resident(image, slab->start, slab->bytes, NULL);
    (void)region;
    add(arg, FH_CELL_LIVE, slab->start, live);
    add(arg, FH_CELL_CACHED, slab->start, cached);
    add(arg, FH_CELL_FREE, slab->start, resident > live + cached ? resident - live - cached : 0);
}

/* Without a walk: what is in memory, as if it were live. */
static void read_resident(struct mapper *mapper, const struct fh_region *regions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        on_region(mapper->top->image, &regions[i], mapper);
        if (regions[i].kind != FH_REGION_LARGE)
            add_resident(mapper, FH_CELL_LIVE, regions[i].start, mapper->bytes);
    }
}

bool fh_top_read_cells(struct fh_top *top)
{
    size_t count;
    const struct fh_region *regions = fh_image_regions(top->image, &count);
    struct mapper mapper = {.top = top};
    uint64_t all = 0, page = top->about->page_bytes;
    if (!regions)
        return false;
    for (size_t i = 0; i < count; i++)
        all += is_shown(&regions[i]) ? regions[i].bytes : 0;
    free(top->cells);
    top->cell_bytes = (all / FH_TOP_CELLS + page) & ~(page - 1);
    top->cell_count = (all + top->cell_bytes - 1) / top->cell_bytes;
    /* A walk looks for the regions anew: there may be more by then. */
    top->cells = calloc(2 * top->cell_count + FH_TOP_CELLS, sizeof(*top->cells));
    top->cells_know_blocks = all <= WALK_MOST;
    if (!top->cells) {
        top->cell_count = 0;
        return true;
    }
    if (!top->cells_know_blocks) {
        read_resident(&mapper, regions, count);
        return true;
    }
    struct fh_image_walker walker = {.arg = &mapper, .region = on_region, .chunk = on_chunk, .slab = on_slab};
    return fh_image_walk(top->image, &walker);
}

/* One glyph for some cells: how much is live by its darkness; what is free and in memory by colour. */
static void put_cells(const struct fh_top *top, struct fh_screen *screen, size_t from, size_t to)
{
    static const uint32_t shades[] = {0xb7, 0x2591, 0x2592, 0x2593, 0x2588};
    static const char plain[] = ".:+*#";
    uint64_t sum[FH_CELL_ITEMS] = {0};
    for (size_t i = from; i < to; i++) {
        for (int item = 0; item < FH_CELL_ITEMS; item++)
            sum[item] += top->cells[i].bytes[item];
    }
    uint64_t held = sum[FH_CELL_LIVE] + sum[FH_CELL_CACHED] + sum[FH_CELL_FREE];
    uint64_t all = (to - from) * top->cell_bytes;
    if (held < all / 64) {
        fh_screen_glyph(screen, FH_INK_DIM, ' ');
        return;
    }
    size_t shade = (size_t)((double)sum[FH_CELL_LIVE] / (double)all * 4 + 0.5);
    shade = shade > 4 ? 4 : shade;
    enum fh_ink ink = sum[FH_CELL_FREE] > sum[FH_CELL_LIVE]     ? FH_INK_FREE
                      : sum[FH_CELL_CACHED] > sum[FH_CELL_LIVE] ? FH_INK_OTHER
                                                                : FH_INK_LIVE;
    fh_screen_glyph(screen, ink, screen->unicode ? shades[shade] : (unsigned char)plain[shade]);
}

void fh_top_show_strip(struct fh_top *top, struct fh_screen *screen, int width)
{
    size_t count = top->cell_count < (size_t)width ? top->cell_count : (size_t)width;
    for (size_t i = 0; i < count; i++)
        put_cells(top, screen, i * top->cell_count / count, (i + 1) * top->cell_count / count);
}

void fh_top_show_map(struct fh_top *top, struct fh_screen *screen, int lines, int scroll)
{
    char bytes[FH_UNIT_BYTES], address[FH_UNIT_BYTES];
    int width = screen->columns - ADDRESS_COLUMNS;
    int rows = lines ? lines - 2 : 16;
    width = width < 8 ? 8 : width;
    rows = rows < 1 ? 1 : rows;
    size_t glyphs = (size_t)width * (size_t)rows;
    glyphs = glyphs < top->cell_count ? glyphs : top->cell_count;
    (void)scroll;
    for (size_t done = 0; done < glyphs; done += (size_t)width) {
        size_t end = done + (size_t)width < glyphs ? done + (size_t)width : glyphs;
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_DIM, "%s ", fh_hex(top->cells[done * top->cell_count / glyphs].start, address));
        fh_screen_column(screen, ADDRESS_COLUMNS);
        for (size_t i = done; i < end; i++)
            put_cells(top, screen, i * top->cell_count / glyphs, (i + 1) * top->cell_count / glyphs);
    }
    uint64_t each = glyphs ? top->cell_bytes * top->cell_count / glyphs : 0;
    fh_screen_line(screen);
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_DIM, "each %s: ", fh_human(each, bytes));
    if (!top->cells_know_blocks) {
        fh_screen_put(screen, FH_INK_DIM, "the darker, the more is in memory ('freehold map' shows blocks)");
        return;
    }
    fh_screen_put(screen, FH_INK_LIVE, "%s live ", screen->unicode ? "\xe2\x96\x88" : "#");
    fh_screen_put(screen, FH_INK_FREE, "%s free, in memory ", screen->unicode ? "\xc2\xb7" : ".");
    fh_screen_put(screen, FH_INK_DIM, "  blank: not in memory");
}
