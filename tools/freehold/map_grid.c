/*
 * map_grid.c - the cells of a map: which addresses each stands for, from the regions that any frame has.
 */
#include "map.h"

#include <stdlib.h>
#include <string.h>

/* A leaf of the page map is 4 MiB of address space with little in it: its cells are larger, or a small heap would be
 * lost beside them. */
enum { LIBRARY_SHIFT_LEAST = 16, LIBRARY_CELLS_MOST = 1 << 16, SHIFT_MOST = 40 };

bool fh_map_regions_add(struct fh_map_regions *all, const struct fh_region *regions, size_t count)
{
    if (all->count + count > all->room) {
        size_t room = 2 * all->room + count;
        struct fh_region *larger = realloc(all->list, room * sizeof(*larger));
        if (!larger) return false;
        all->list = larger;
        all->room = room;
    }
    memcpy(all->list + all->count, regions, count * sizeof(*regions));
    all->count += count;
    return true;
}

static enum fh_map_band_kind band_kind(const struct fh_region *region)
{
    switch (region->kind) {
    case FH_REGION_SEGMENT: return FH_BAND_HEAP;
    case FH_REGION_LARGE: return FH_BAND_LARGE;
    case FH_REGION_SLAB: return FH_BAND_SLABS;
    default: return FH_BAND_LIBRARY;
    }
}

/* By band, then by address. */
static int by_place(const void *a, const void *b)
{
    const struct fh_region *x = a, *y = b;
    enum fh_map_band_kind x_kind = band_kind(x), y_kind = band_kind(y);
    if (x_kind != y_kind) return x_kind < y_kind ? -1 : 1;
    if (x_kind == FH_BAND_HEAP && x->heap != y->heap) return x->heap < y->heap ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static bool is_same_band(const struct fh_region *a, const struct fh_region *b)
{
    return band_kind(a) == band_kind(b) && (band_kind(a) != FH_BAND_HEAP || a->heap == b->heap);
}

static unsigned shift_of(const struct fh_region *region, unsigned cell_shift)
{
    bool is_library = band_kind(region) == FH_BAND_LIBRARY;
    return is_library && cell_shift < LIBRARY_SHIFT_LEAST ? LIBRARY_SHIFT_LEAST : cell_shift;
}

/* How many cells the regions need; their starts go to `starts` if that is not NULL. */
static size_t cut(const struct fh_map_regions *all, unsigned cell_shift, bool with_library, uint64_t *starts)
{
    size_t count = 0;
    uint64_t next = 0; /* number of the first cell that the band does not have yet */
    for (size_t i = 0; i < all->count; i++) {
        const struct fh_region *region = &all->list[i];
        unsigned shift = shift_of(region, cell_shift);
        if (i == 0 || !is_same_band(region - 1, region)) next = 0;
        if (region->bytes == 0 || (!with_library && band_kind(region) == FH_BAND_LIBRARY)) continue;
        uint64_t first = region->start >> shift, last = (region->start + region->bytes - 1) >> shift;
        if (first < next) first = next;
        for (uint64_t cell = first; starts && cell <= last; cell++) starts[count + (cell - first)] = cell << shift;
        if (last >= first) count += last - first + 1;
        if (last >= next) next = last + 1;
    }
    return count;
}

static bool make_bands(struct fh_map *map, const struct fh_map_regions *all)
{
    map->bands = calloc(all->count + 1, sizeof(*map->bands));
    if (!map->bands) return false;
    struct fh_map_regions part = {.count = 0};
    size_t at = 0;
    for (size_t i = 0; i < all->count; i += part.count) {
        const struct fh_region *first = &all->list[i];
        part.list = all->list + i;
        for (part.count = 1; i + part.count < all->count && is_same_band(first, first + part.count);) part.count++;
        size_t count = cut(&part, map->cell_shift, true, map->starts + at);
        if (count == 0) continue;
        map->bands[map->band_count++] = (struct fh_map_band){.kind = band_kind(first),
                                                             .heap = first->heap,
                                                             .is_break = first->is_break,
                                                             .cell_shift = shift_of(first, map->cell_shift),
                                                             .first = at,
                                                             .count = count};
        at += count;
    }
    return true;
}

bool fh_map_make_grid(struct fh_map *map, struct fh_map_regions *all, size_t page_bytes,
                      const struct fh_map_request *request)
{
    if (all->count) qsort(all->list, all->count, sizeof(*all->list), by_place);
    size_t most = FH_MAP_CELLS_MOST / map->frame_count;
    if (request->cells_most < most) most = request->cells_most;
    map->cell_shift = (unsigned)__builtin_ctzll(request->cell_bytes ? request->cell_bytes : page_bytes);
    while (!request->cell_bytes && map->cell_shift < SHIFT_MOST && cut(all, map->cell_shift, false, NULL) > most)
        map->cell_shift++;
    map->cell_count = cut(all, map->cell_shift, true, NULL);
    if (map->cell_count > FH_MAP_CELLS_MOST / map->frame_count + LIBRARY_CELLS_MOST) return false;
    map->starts = malloc((map->cell_count + 1) * sizeof(*map->starts));
    if (!map->starts) return false;
    return make_bands(map, all);
}

const struct fh_map_band *fh_map_band_of(const struct fh_map *map, const struct fh_region *region)
{
    for (size_t i = 0; i < map->band_count; i++) {
        const struct fh_map_band *band = &map->bands[i];
        if (band->kind == band_kind(region) && (band->kind != FH_BAND_HEAP || band->heap == region->heap)) return band;
    }
    return NULL;
}
