/*
 * map_html.c - a map as a page: the data that pages/map.js draws.
 */
#include "cli.h"
#include "html.h"
#include "map.h"

#include <inttypes.h>

enum { COLUMNS = 96, FILLED_STEPS = 64 };

/* --- cells: fields by commas, nothing for 0, none at the end --- */

struct fields {
    FILE *out;
    unsigned commas; /* not written yet */
};

static void put_field(struct fields *fields, uint64_t number)
{
    if (number) {
        for (; fields->commas; fields->commas--) fputc(',', fields->out);
        fprintf(fields->out, "%" PRIu64, number);
    }
    fields->commas++;
}

static void put_shares(struct fields *fields, const struct fh_map_share *shares, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_field(fields, shares[i].bytes ? shares[i].number : 0);
        put_field(fields, shares[i].bytes);
    }
}

/* What it looks like; bytes of the items; of each how many are not in memory (of untouched: how many are); the rest. */
static void put_cell(FILE *out, const struct fh_map_cell *cell, uint64_t cell_bytes)
{
    struct fields fields = {.out = out};
    struct fh_map_look look;
    fh_map_look(cell, cell_bytes, &look);
    put_field(&fields, look.body);
    put_field(&fields, look.mark);
    put_field(&fields, look.step);
    put_field(&fields, (uint64_t)(look.filled * FILLED_STEPS + 0.5));
    for (int i = 0; i < FH_ITEMS; i++) put_field(&fields, cell->bytes[i]);
    for (int i = 0; i < FH_ITEMS; i++)
        put_field(&fields, i == FH_UNTOUCHED ? cell->resident[i] : cell->bytes[i] - cell->resident[i]);
    put_field(&fields, cell->purged_bytes);
    put_field(&fields, cell->swapped_bytes);
    put_field(&fields, cell->gap_bytes);
    put_field(&fields, cell->pinned_bytes);
    put_field(&fields, cell->pinning_blocks);
    put_field(&fields, cell->live_blocks);
    put_shares(&fields, cell->kinds, FH_MAP_TOP_KINDS);
    put_shares(&fields, cell->owners, FH_MAP_TOP_OWNERS);
}

/* --- the grid --- */

/* [address, cells] of each run of cells that follow each other. */
static void put_runs(FILE *out, const struct fh_map *map, const struct fh_map_band *band)
{
    const char *separator = "";
    for (size_t i = 0, count; i < band->count; i += count, separator = ",") {
        const uint64_t *starts = map->starts + band->first + i;
        for (count = 1; i + count < band->count; count++) {
            if (starts[count] != starts[0] + ((uint64_t)count << band->cell_shift)) break;
        }
        fprintf(out, "%s[%" PRIu64 ",%zu]", separator, starts[0], count);
    }
}

static void put_bands(FILE *out, const struct fh_map *map, const struct fh_map_layout *layout)
{
    char name[FH_MAP_WORDS];
    for (size_t i = 0; i < map->band_count; i++) {
        const struct fh_map_band *band = &map->bands[i];
        fprintf(out, "{ name: ");
        fh_html_script_string(out, fh_map_band_name(band, name));
        fprintf(out, ", shift: %u, runs: [", band->cell_shift);
        put_runs(out, map, band);
        fprintf(out, "],\n  rows: [");
        for (size_t j = 0; j < layout->bands[i].count; j++) {
            const struct fh_map_row *row = &layout->rows[layout->bands[i].first + j];
            fprintf(out, "%s[%zu,%" PRIu64 "]", j ? "," : "", row->slots, row->folded_bytes);
        }
        fprintf(out, "] },\n");
    }
}

static void put_kinds(FILE *out, const struct fh_map *map)
{
    bool used[FH_MAP_KINDS] = {false};
    char name[FH_MAP_WORDS];
    for (size_t i = 0; i < map->frame_count; i++) {
        for (size_t j = 0; j < map->cell_count; j++) {
            const struct fh_map_share *kinds = map->frames[i].cells[j].kinds;
            for (int k = 0; k < FH_MAP_TOP_KINDS && kinds[k].bytes; k++) used[kinds[k].number] = true;
        }
    }
    for (uint32_t i = 0; i < FH_MAP_KINDS; i++) {
        if (!used[i]) continue;
        fprintf(out, "%" PRIu32 ": ", i);
        fh_html_script_string(out, fh_map_kind_name(i, name));
        fputs(", ", out);
    }
}

static void put_colors(FILE *out)
{
    for (int dark = 0; dark < 2; dark++) {
        const struct fh_look_colors *colors = &fh_look_colors[dark];
        const uint32_t all[] = {colors->paper,    colors->ink, colors->faint,  colors->rule,   colors->empty,
                                colors->metadata, colors->gap, colors->pinned, colors->cached, colors->purged};
        static const char *const names[] = {"paper",    "ink", "faint",  "rule",   "empty",
                                            "metadata", "gap", "pinned", "cached", "purged"};
        fputs("{ ", out);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            fprintf(out, "%s: '#%06x', ", names[i], (unsigned)all[i]);
        fputs("steps: [", out);
        for (int i = 0; i < FH_LOOK_STEPS; i++) fprintf(out, "'#%06x',", (unsigned)fh_look_steps[dark][i]);
        fputs("] },\n", out);
    }
}

static void put_frame(FILE *out, const struct fh_map *map, const struct fh_map_frame *frame)
{
    char text[FH_MAP_WORDS];
    fputs("{ title: ", out);
    fh_html_script_string(out, fh_map_title(frame, text));
    fputs(", time: ", out);
    fh_html_script_string(out, fh_map_time(frame, text));
    fprintf(out, ", time_ms: %" PRIu64 ", held: %" PRIu64 ", threads: {", frame->about.taken_ns / 1000000,
            fh_map_held(&frame->total) + frame->stranded_bytes);
    for (size_t i = 0; i < frame->thread_count; i++) {
        fprintf(out, "%" PRIu32 ": ", frame->threads[i].id);
        fh_html_script_string(out, frame->threads[i].name);
        fputs(", ", out);
    }
    fputs("},\n  cells: '", out);
    for (size_t i = 0; i < map->band_count; i++) {
        const struct fh_map_band *band = &map->bands[i];
        for (size_t j = band->first; j < band->first + band->count; j++) {
            if (j) fputc(';', out);
            put_cell(out, &frame->cells[j], (uint64_t)1 << band->cell_shift);
        }
    }
    fputs("' },\n", out);
}

bool fh_map_put_html(const struct fh_map *map, FILE *out)
{
    struct fh_map_layout layout;
    if (!fh_map_make_layout(map, COLUMNS, &layout)) return false;
    fprintf(out, "<style>\n%s</style>\n<div id=\"map\"></div>\n<script>\n%s\nfhMap(document.getElementById('map'), {\n",
            fh_page_map_css, fh_page_map_js);
    fprintf(out, "columns: %d, steps: %d, chunks: %d, items: [", COLUMNS, FH_LOOK_STEPS, FH_MAP_CHUNKS);
    for (int i = 0; i < FH_ITEMS; i++) fprintf(out, "%s'%s'", i ? ", " : "", fh_item_names[i]);
    fputs("],\ncolors: [", out);
    put_colors(out);
    fputs("],\nkinds: {", out);
    put_kinds(out, map);
    fputs("},\nbands: [\n", out);
    put_bands(out, map, &layout);
    fputs("],\nframes: [\n", out);
    for (size_t i = 0; i < map->frame_count; i++) put_frame(out, map, &map->frames[i]);
    fputs("] });\n</script>\n", out);
    fh_map_free_layout(&layout);
    return true;
}

int fh_map_write_html(const char *verb, const struct fh_map *map, const char *file)
{
    const struct fh_map_frame *first = &map->frames[0], *last = &map->frames[map->frame_count - 1];
    char title[FH_MAP_WORDS], from[FH_MAP_WORDS], to[FH_MAP_WORDS];
    FILE *out = fopen(file, "we");
    bool good = true;
    if (out) {
        fh_map_title(last, title);
        fh_html_begin(out, title);
        fputs("<h1>", out);
        fh_html_text(out, title);
        fputs("</h1>\n<p>", out);
        fh_map_time(first, from);
        fh_map_time(last, to);
        fh_html_text(out, from);
        if (map->frame_count > 1 && to[0]) fprintf(out, " to %s, %zu snapshots", to, map->frame_count);
        if (!last->about.knows_pages)
            fputs("A core does not say what was in memory: all that was ever used counts.", out);
        fputs("</p>\n", out);
        good = fh_map_put_html(map, out);
        fh_html_end(out);
    }
    if (!good) fh_say(verb, "out of memory");
    return fh_close_output(verb, out, file) || !good ? FH_EXIT_FAILED : FH_EXIT_OK;
}
