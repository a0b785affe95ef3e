/*
 * map_words.c - what the parts of a map are called, and sums over them.
 */
#include "map.h"

#include <inttypes.h>
#include <time.h>

const char *fh_map_band_name(const struct fh_map_band *band, char text[FH_MAP_WORDS])
{
    switch (band->kind) {
    case FH_BAND_HEAP:
        snprintf(text, FH_MAP_WORDS, "heap %" PRIu32 ", %s", band->heap, band->is_break ? "from the break" : "mapped");
        break;
    case FH_BAND_LARGE: snprintf(text, FH_MAP_WORDS, "large blocks, each a mapping"); break;
    case FH_BAND_SLABS: snprintf(text, FH_MAP_WORDS, "slabs outside of heaps"); break;
    default: snprintf(text, FH_MAP_WORDS, "the library's own: page map, threads, call stacks"); break;
    }
    return text;
}

const char *fh_map_kind_name(uint32_t kind, char text[FH_MAP_WORDS])
{
    if (kind == FH_MAP_CHUNKS) snprintf(text, FH_MAP_WORDS, "chunks");
    else if (kind == FH_MAP_LARGE) snprintf(text, FH_MAP_WORDS, "large block");
    else snprintf(text, FH_MAP_WORDS, "slabs of %" PRIu32 " bytes", kind * 16);
    return text;
}

const char *fh_map_owner_name(const struct fh_map_frame *frame, uint32_t owner)
{
    for (size_t i = 0; i < frame->thread_count; i++) {
        if (frame->threads[i].id == owner) return frame->threads[i].name;
    }
    return "?";
}

const char *fh_map_title(const struct fh_map_frame *frame, char text[FH_MAP_WORDS])
{
    char name[FH_IMAGE_NAME_BYTES], version[FH_IMAGE_NAME_BYTES];
    snprintf(text, FH_MAP_WORDS, "%s, freehold %s", fh_image_name(&frame->about, name),
             fh_image_version(&frame->about, version));
    return text;
}

const char *fh_map_time(const struct fh_map_frame *frame, char text[FH_MAP_WORDS])
{
    time_t seconds = (time_t)(frame->about.taken_ns / 1000000000);
    struct tm local;
    text[0] = '\0';
    if (seconds && localtime_r(&seconds, &local)) strftime(text, FH_MAP_WORDS, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

const char *fh_map_cell_size(unsigned shift, char text[FH_UNIT_BYTES])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    snprintf(text, FH_UNIT_BYTES, "%u %s", 1u << shift % 10, units[shift / 10]);
    return text;
}

static size_t add_shares(const struct fh_map_frame *frame, const struct fh_map_cell *cell, char *text, size_t room)
{
    char name[FH_MAP_WORDS], bytes[FH_UNIT_BYTES];
    size_t used = 0;
    for (int i = 0; i < FH_MAP_TOP_KINDS && cell->kinds[i].bytes && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%s %s", i ? ", " : "\n",
                                 fh_map_kind_name(cell->kinds[i].number, name), fh_human(cell->kinds[i].bytes, bytes));
    for (int i = 0; i < FH_MAP_TOP_OWNERS && cell->owners[i].bytes && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "\nthread ",
                                 fh_map_owner_name(frame, cell->owners[i].number));
    return used;
}

const char *fh_map_cell_text(const struct fh_map *map, const struct fh_map_frame *frame, const struct fh_map_band *band,
                             size_t number, char *text, size_t room)
{
    const struct fh_map_cell *cell = &frame->cells[number];
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    uint64_t start = map->starts[number];
    int length = snprintf(text, room, "0x%" PRIx64 " to 0x%" PRIx64 "\n%s held, %s in memory", start,
                          start + ((uint64_t)1 << band->cell_shift), fh_human(fh_map_held(cell), a),
                          fh_human(fh_map_resident(cell), b));
    size_t used = length > 0 ? (size_t)length : 0;
    if (cell->live_blocks || cell->bytes[FH_LIVE])
        used += (size_t)snprintf(text + used, room - used, "\nlive %s, %s blocks begin here",
                                 fh_human(cell->bytes[FH_LIVE], a), fh_grouped(cell->live_blocks, b));
    for (int i = FH_LIVE + 1; i < FH_ITEMS && used < room; i++) {
        if (cell->bytes[i])
            used +=
                (size_t)snprintf(text + used, room - used, "\n%s %s", fh_item_names[i], fh_human(cell->bytes[i], a));
    }
    if (used < room) used += add_shares(frame, cell, text + used, room - used);
    if (cell->pinned_bytes && used < room)
        snprintf(text + used, room - used, "\n%s idle, kept by %s live blocks", fh_human(cell->pinned_bytes, a),
                 fh_grouped(cell->pinning_blocks, b));
    return text;
}

uint64_t fh_map_held(const struct fh_map_cell *cell)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++) sum += cell->bytes[i];
    return sum;
}

uint64_t fh_map_resident(const struct fh_map_cell *cell)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++) sum += cell->resident[i];
    return sum;
}

void fh_map_sum(const struct fh_map_frame *frame, const struct fh_map_band *band, struct fh_map_cell *sum)
{
    *sum = (struct fh_map_cell){.live_blocks = 0};
    for (size_t i = band->first; i < band->first + band->count; i++) {
        const struct fh_map_cell *cell = &frame->cells[i];
        for (int j = 0; j < FH_ITEMS; j++) {
            sum->bytes[j] += cell->bytes[j];
            sum->resident[j] += cell->resident[j];
        }
        sum->purged_bytes += cell->purged_bytes;
        sum->swapped_bytes += cell->swapped_bytes;
        sum->gap_bytes += cell->gap_bytes;
        sum->pinned_bytes += cell->pinned_bytes;
        sum->pinning_blocks += cell->pinning_blocks;
        sum->live_blocks += cell->live_blocks;
    }
}
