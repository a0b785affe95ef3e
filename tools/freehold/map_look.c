/*
 * map_look.c - what a cell looks like. Ink is memory: as much of a cell is filled as is in memory. The colour says how
 * much of that is live: amber is memory that the program does not use, blue is full of live blocks. Both ends differ in
 * lightness too, for eyes and printers that do not tell hues apart.
 */
#include "map.h"

const uint32_t fh_look_steps[2][FH_LOOK_STEPS] = {
    {0xfea91e, 0xceab0f, 0x9ca834, 0x6aa052, 0x3b9467, 0x008574, 0x00747c, 0x00607f, 0x014b79},
    {0xffb439, 0xdcba39, 0xafbc53, 0x85b86f, 0x62b086, 0x34a795, 0x009ba4, 0x008cb0, 0x297ab6},
};

const struct fh_look_colors fh_look_colors[2] = {
    {.paper = 0xffffff,
     .ink = 0x1b1f24,
     .faint = 0x6b737c,
     .rule = 0xd9dde1,
     .empty = 0xe9ecef,
     .metadata = 0x9aa3ad,
     .gap = 0xd6336c,
     .pinned = 0xc2185b,
     .cached = 0x7048c6,
     .purged = 0xa9b2bb},
    {.paper = 0x14171a,
     .ink = 0xe8eaed,
     .faint = 0x949ca5,
     .rule = 0x343a40,
     .empty = 0x24292e,
     .metadata = 0x6c757d,
     .gap = 0xff6b9d,
     .pinned = 0xff5c93,
     .cached = 0xb79cff,
     .purged = 0x59626b},
};

/* A mark is for what a quarter of the memory of a cell is, or, of what has no memory, half of the cell. */
static enum fh_map_mark mark_of(const struct fh_map_cell *cell, uint64_t resident, uint64_t held)
{
    if (cell->pinned_bytes && cell->pinned_bytes * 4 >= resident) return FH_MARK_PINNED;
    if (cell->resident[FH_CACHED] && cell->resident[FH_CACHED] * 4 >= resident) return FH_MARK_CACHED;
    return cell->purged_bytes * 2 >= held && cell->purged_bytes ? FH_MARK_PURGED : FH_MARK_NONE;
}

void fh_map_look(const struct fh_map_cell *cell, uint64_t cell_bytes, struct fh_map_look *look)
{
    uint64_t held = fh_map_held(cell), resident = fh_map_resident(cell), metadata = cell->resident[FH_METADATA];
    uint64_t live = cell->resident[FH_LIVE], rest = resident - metadata;
    *look = (struct fh_map_look){.filled = (double)resident / (double)cell_bytes};
    look->occupancy = rest ? (double)live / (double)rest : 0;
    look->step = (unsigned)(look->occupancy * (FH_LOOK_STEPS - 1) + 0.5);
    if (held + cell->gap_bytes == 0) look->body = FH_BODY_NONE;
    else if (cell->gap_bytes > held) look->body = FH_BODY_GAP;
    else if (resident == 0) look->body = FH_BODY_EMPTY;
    else look->body = metadata > rest ? FH_BODY_METADATA : FH_BODY_MEMORY;
    look->mark = mark_of(cell, resident, held);
}
