/*
 * map_layout.c - how the cells of a map stand in rows. Cells follow each other in address order; where addresses
 * between two of them are not the heap's, one slot stays empty. Rows in which no frame has any memory are folded.
 */
#include "map.h"

#include <stdlib.h>

enum { FOLD_LEAST = 2 }; /* rows without memory that are still drawn */

static bool has_memory(const struct fh_map *map, int32_t cell)
{
    for (size_t i = 0; cell != FH_MAP_NO_CELL && i < map->frame_count; i++) {
        const struct fh_map_cell *it = &map->frames[i].cells[cell];
        if (fh_map_resident(it) || it->gap_bytes) return true;
    }
    return false;
}

static void place_band(const struct fh_map *map, const struct fh_map_band *band, struct fh_map_layout *layout)
{
    uint64_t expected = map->starts[band->first];
    for (size_t i = 0; i < band->count; i++) {
        uint64_t start = map->starts[band->first + i];
        if (start != expected) layout->slots[layout->slot_count++] = FH_MAP_NO_CELL;
        layout->slots[layout->slot_count++] = (int32_t)(band->first + i);
        expected = start + ((uint64_t)1 << band->cell_shift);
    }
}

/* Slots without memory from `first` on: how many whole rows of them. */
static size_t empty_rows(const struct fh_map *map, const struct fh_map_layout *layout, size_t first)
{
    size_t i = first;
    while (i < layout->slot_count && !has_memory(map, layout->slots[i])) i++;
    /* The last row may be a short one. */
    return i == layout->slot_count ? (i - first + layout->columns - 1) / layout->columns
                                   : (i - first) / layout->columns;
}

static struct fh_map_row row_of(const struct fh_map *map, const struct fh_map_layout *layout, size_t first,
                                size_t slots)
{
    struct fh_map_row row = {.first_slot = first, .slots = slots};
    for (size_t i = first + slots; i-- > first;) {
        if (layout->slots[i] != FH_MAP_NO_CELL) row.start = map->starts[layout->slots[i]];
    }
    return row;
}

static void add_rows(const struct fh_map *map, const struct fh_map_band *band, struct fh_map_layout *layout,
                     size_t first)
{
    while (first < layout->slot_count) {
        size_t left = layout->slot_count - first;
        size_t empty = empty_rows(map, layout, first);
        size_t slots = left < layout->columns ? left : layout->columns;
        if (empty >= FOLD_LEAST && empty * layout->columns < left) slots = empty * layout->columns;
        else if (empty >= FOLD_LEAST) slots = left;
        struct fh_map_row row = row_of(map, layout, first, slots);
        for (size_t i = first; empty >= FOLD_LEAST && i < first + slots; i++)
            row.folded_bytes += layout->slots[i] == FH_MAP_NO_CELL ? 0 : (uint64_t)1 << band->cell_shift;
        layout->rows[layout->row_count++] = row;
        first += slots;
    }
}

bool fh_map_make_layout(const struct fh_map *map, size_t columns, struct fh_map_layout *layout)
{
    *layout = (struct fh_map_layout){.columns = columns};
    /* At worst a gap in front of every cell, and a row for each. */
    layout->slots = malloc((2 * map->cell_count + 1) * sizeof(*layout->slots));
    layout->rows = malloc((2 * map->cell_count / columns + 2 * map->band_count + 1) * sizeof(*layout->rows));
    layout->bands = calloc(map->band_count + 1, sizeof(*layout->bands));
    if (!layout->slots || !layout->rows || !layout->bands) {
        fh_map_free_layout(layout);
        return false;
    }
    for (size_t i = 0; i < map->band_count; i++) {
        size_t first_slot = layout->slot_count, first_row = layout->row_count;
        place_band(map, &map->bands[i], layout);
        add_rows(map, &map->bands[i], layout, first_slot);
        layout->bands[i].first = first_row;
        layout->bands[i].count = layout->row_count - first_row;
    }
    return true;
}

void fh_map_free_layout(struct fh_map_layout *layout)
{
    free(layout->slots);
    free(layout->rows);
    free(layout->bands);
    *layout = (struct fh_map_layout){.columns = 0};
}
