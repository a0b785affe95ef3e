/*
 * map_json.c - a map as JSON. Members that are 0 are left out of cells, and so are cells that hold nothing.
 */
#include "json.h"
#include "map.h"

#include <inttypes.h>

static void put_number(const char *name, const char *suffix, uint64_t number)
{
    if (number) printf(", \"%s%s\": %" PRIu64, name, suffix, number);
}

static void put_shares(const struct fh_map_cell *cell)
{
    if (cell->kinds[0].bytes) {
        const char *separator = "";
        printf(", \"kinds\": [");
        for (int i = 0; i < FH_MAP_TOP_KINDS && cell->kinds[i].bytes; i++, separator = ", ") {
            uint32_t kind = cell->kinds[i].number;
            printf("%s{\"kind\": \"%s\"", separator,
                   kind == FH_MAP_CHUNKS  ? "chunks"
                   : kind == FH_MAP_LARGE ? "large"
                                          : "slabs");
            if (kind < FH_CLASSES_MOST) printf(", \"class_bytes\": %" PRIu32, kind * 16);
            printf(", \"bytes\": %" PRIu64 "}", cell->kinds[i].bytes);
        }
        putchar(']');
    }
    if (cell->owners[0].bytes) {
        const char *separator = "";
        printf(", \"owners\": [");
        for (int i = 0; i < FH_MAP_TOP_OWNERS && cell->owners[i].bytes; i++, separator = ", ")
            printf("%s{\"thread\": %" PRIu32 ", \"bytes\": %" PRIu64 "}", separator, cell->owners[i].number,
                   cell->owners[i].bytes);
        putchar(']');
    }
}

static void put_sums(const struct fh_map_cell *cell)
{
    for (int i = 0; i < FH_ITEMS; i++) {
        put_number(fh_item_names[i], "_bytes", cell->bytes[i]);
        put_number(fh_item_names[i], "_resident_bytes", cell->resident[i]);
    }
    put_number("purged", "_bytes", cell->purged_bytes);
    put_number("swapped", "_bytes", cell->swapped_bytes);
    put_number("unreadable", "_bytes", cell->gap_bytes);
    put_number("pinned", "_bytes", cell->pinned_bytes);
    put_number("pinning", "_blocks", cell->pinning_blocks);
    put_number("live", "_blocks", cell->live_blocks);
}

static void put_band(const struct fh_map *map, const struct fh_map_frame *frame, const struct fh_map_band *band)
{
    char name[FH_MAP_WORDS];
    const char *separator = "";
    printf("{\"name\": \"%s\", ", fh_map_band_name(band, name));
    if (band->kind == FH_BAND_HEAP) printf("\"heap\": %" PRIu32 ", ", band->heap);
    printf("\"cell_bytes\": %" PRIu64 ", \"cells\": [", (uint64_t)1 << band->cell_shift);
    for (size_t i = band->first; i < band->first + band->count; i++) {
        const struct fh_map_cell *cell = &frame->cells[i];
        if (fh_map_held(cell) + cell->gap_bytes == 0) continue;
        printf("%s\n  {\"start\": \"0x%" PRIx64 "\"", separator, map->starts[i]);
        put_sums(cell);
        put_shares(cell);
        putchar('}');
        separator = ",";
    }
    printf("]}");
}

void fh_map_print_json(const struct fh_map *map)
{
    printf("{\"frames\": [");
    for (size_t i = 0; i < map->frame_count; i++) {
        const struct fh_map_frame *frame = &map->frames[i];
        printf("%s{\"of\": ", i ? ",\n" : "");
        fh_json_string(frame->word);
        printf(", \"pid\": %ld, \"process\": ", (long)frame->about.pid);
        fh_json_string(frame->about.name);
        printf(", \"time_ns\": %" PRIu64 ", \"knows_pages\": %s, \"stranded_bytes\": %" PRIu64
               ", \"missed_bytes\": %" PRIu64 ", \"bands\": [",
               frame->about.taken_ns, frame->about.knows_pages ? "true" : "false", frame->stranded_bytes,
               frame->missed_bytes);
        for (size_t j = 0; j < map->band_count; j++) {
            if (j) printf(", ");
            put_band(map, frame, &map->bands[j]);
        }
        printf("]}");
    }
    printf("]}\n");
}
