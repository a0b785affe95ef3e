/*
 * map_terminal.c - a map on a terminal of 80 columns: 64 cells to a line, the address of the first in front.
 *
 * In colour a cell is a block as high as it is in memory, in the colour of what is live. Without, its shade says how
 * much is live. A mark takes the place of either.
 */
#include "map.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LEVELS = 4, EIGHTHS = 8 };

static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const shades[2][LEVELS] = {{".", "-", "+", "#"}, {"░", "▒", "▓", "█"}};
static const char pinned = '!', cached = 'c', metadata = 'm', unreadable = '?', empty = '_';
static const char *const purged[2] = {"~", "·"};
static const char *const fold_sign[2] = {"...", "⋯"};

/* The nearest of the colours that every terminal with colours has: 24 greys, and 6 x 6 x 6. */
static unsigned of_256(uint32_t rgb)
{
    enum { GREY_FIRST = 232, GREYS = 24, GREY_STEP = 10, GREY_SPREAD = 24 };
    static const int levels[] = {0, 95, 135, 175, 215, 255};
    int red = (int)(rgb >> 16 & 255), green = (int)(rgb >> 8 & 255), blue = (int)(rgb & 255);
    int grey = (green - 3) / GREY_STEP;
    if (abs(red - green) < GREY_SPREAD && abs(blue - green) < GREY_SPREAD && grey < GREYS)
        return (unsigned)(GREY_FIRST + (grey > 0 ? grey : 0));
    unsigned index = 16;
    for (int i = 0; i < 3; i++) {
        int value = (int)(rgb >> (16 - 8 * i) & 255), best = 0;
        for (int j = 1; j < 6; j++) {
            int there = levels[j] - value, before = levels[best] - value;
            best = there * there < before * before ? j : best;
        }
        index += (unsigned)best * (i == 0 ? 36 : i == 1 ? 6 : 1);
    }
    return index;
}

static void set_color(const struct fh_map_terminal *terminal, bool background, uint32_t rgb)
{
    int what = background ? 48 : 38;
    if (!terminal->color) return;
    if (terminal->color_bits == 24) printf("\033[%d;2;%u;%u;%um", what, rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255);
    else printf("\033[%d;5;%um", what, of_256(rgb));
}

static void plain(const struct fh_map_terminal *terminal)
{
    if (terminal->color) fputs("\033[0m", stdout);
}

static void faint(const struct fh_map_terminal *terminal)
{
    if (terminal->color) fputs("\033[2m", stdout);
}

/* A character on the colour of the cell, or in place of its shade. */
static void print_mark(const struct fh_map_terminal *terminal, const char *text, uint32_t ground, uint32_t ink)
{
    set_color(terminal, true, ground);
    set_color(terminal, false, ink);
    fputs(text, stdout);
    plain(terminal);
}

static void print_body(const struct fh_map_terminal *terminal, const struct fh_map_look *look)
{
    const struct fh_look_colors *colors = &fh_look_colors[1];
    unsigned eighths = (unsigned)(look->filled * EIGHTHS + 0.5), level = (unsigned)(look->occupancy * LEVELS);
    if (!terminal->color) {
        fputs(shades[terminal->utf8][level < LEVELS ? level : LEVELS - 1], stdout);
    } else if (!terminal->utf8) {
        print_mark(terminal, " ", fh_look_steps[1][look->step], colors->ink);
    } else {
        if (eighths == 0) eighths = 1; /* what has memory is seen */
        set_color(terminal, true, colors->empty);
        set_color(terminal, false, fh_look_steps[1][look->step]);
        fputs(blocks[eighths < EIGHTHS ? eighths : EIGHTHS], stdout);
        plain(terminal);
    }
}

static void print_cell(const struct fh_map_terminal *terminal, const struct fh_map_cell *cell, uint64_t cell_bytes)
{
    const struct fh_look_colors *colors = &fh_look_colors[1];
    struct fh_map_look look;
    fh_map_look(cell, cell_bytes, &look);
    uint32_t ground = fh_look_steps[1][look.step];
    char text[2] = {0};
    if (look.body == FH_BODY_NONE) {
        putchar(' ');
    } else if (look.body == FH_BODY_GAP) {
        text[0] = unreadable;
        print_mark(terminal, text, colors->empty, colors->gap);
    } else if (look.mark == FH_MARK_PURGED && look.filled < 0.25) {
        print_mark(terminal, purged[terminal->utf8], colors->empty, colors->faint);
    } else if (look.body == FH_BODY_EMPTY) {
        text[0] = terminal->color ? ' ' : empty;
        print_mark(terminal, text, colors->empty, colors->purged);
    } else if (look.body == FH_BODY_METADATA) {
        text[0] = metadata;
        print_mark(terminal, text, colors->metadata, colors->paper);
    } else if (look.mark == FH_MARK_PINNED || look.mark == FH_MARK_CACHED) {
        text[0] = look.mark == FH_MARK_PINNED ? pinned : cached;
        if (look.filled < 0.5) print_mark(terminal, text, colors->empty, ground);
        else print_mark(terminal, text, ground, colors->paper);
    } else {
        print_body(terminal, &look);
    }
}

static void print_row(const struct fh_map_frame *frame, const struct fh_map_band *band,
                      const struct fh_map_layout *layout, const struct fh_map_row *row,
                      const struct fh_map_terminal *terminal)
{
    char bytes[FH_UNIT_BYTES];
    faint(terminal);
    if (row->folded_bytes) {
        printf("%13s %s without memory", fold_sign[terminal->utf8], fh_human(row->folded_bytes, bytes));
        plain(terminal);
        putchar('\n');
        return;
    }
    printf("%012" PRIx64 "  ", row->start);
    plain(terminal);
    for (size_t i = row->first_slot; i < row->first_slot + row->slots; i++) {
        if (layout->slots[i] == FH_MAP_NO_CELL) putchar(' ');
        else print_cell(terminal, &frame->cells[layout->slots[i]], (uint64_t)1 << band->cell_shift);
    }
    putchar('\n');
}

static void print_band(const struct fh_map *map, const struct fh_map_frame *frame, size_t number,
                       const struct fh_map_layout *layout, const struct fh_map_terminal *terminal)
{
    const struct fh_map_band *band = &map->bands[number];
    const struct fh_map_band_rows *rows = &layout->bands[number];
    char name[FH_MAP_WORDS], held[FH_UNIT_BYTES], in_memory[FH_UNIT_BYTES], size[FH_UNIT_BYTES];
    struct fh_map_cell sum;
    fh_map_sum(frame, band, &sum);
    if (terminal->color) fputs("\033[1m", stdout);
    if (fh_map_held(&sum) + sum.gap_bytes == 0) return; /* of another frame */
    printf("\n%s", fh_map_band_name(band, name));
    plain(terminal);
    uint64_t resident = fh_map_resident(&sum);
    printf("\n%s held, %s in memory, %.0f %% live", fh_human(fh_map_held(&sum), held), fh_human(resident, in_memory),
           fh_percent(sum.resident[FH_LIVE], resident));
    if (band->cell_shift != map->cell_shift) printf("; a cell is %s here", fh_map_cell_size(band->cell_shift, size));
    putchar('\n');
    for (size_t i = rows->first; i < rows->first + rows->count; i++)
        print_row(frame, band, layout, &layout->rows[i], terminal);
}

static void print_legend(const struct fh_map_frame *frame, const struct fh_map_terminal *terminal)
{
    const struct fh_look_colors *colors = &fh_look_colors[1];
    char text[2] = {0};
    printf("\nin memory: nothing live ");
    if (terminal->color) {
        for (int i = 0; i < FH_LOOK_STEPS; i++) print_mark(terminal, " ", fh_look_steps[1][i], colors->ink);
    } else {
        for (int i = 0; i < LEVELS; i++) fputs(shades[terminal->utf8][i], stdout);
    }
    printf(" all live   ");
    text[0] = metadata;
    print_mark(terminal, text, colors->metadata, colors->paper);
    printf(" the library's own\nnot in memory: ");
    text[0] = terminal->color ? ' ' : empty;
    print_mark(terminal, text, colors->empty, colors->purged);
    printf(" never used   ");
    print_mark(terminal, purged[terminal->utf8], colors->empty, colors->faint);
    printf(" given back\nmarks: ");
    text[0] = pinned;
    print_mark(terminal, text, fh_look_steps[1][0], colors->paper);
    printf(" kept by few live bytes   ");
    text[0] = cached;
    print_mark(terminal, text, fh_look_steps[1][0], colors->paper);
    printf(" in threads' caches");
    if (frame->total.gap_bytes) {
        text[0] = unreadable;
        fputs("   ", stdout);
        print_mark(terminal, text, colors->empty, colors->gap);
        printf(" not readable");
    }
    putchar('\n');
}

static void print_head(const struct fh_map *map, const struct fh_map_frame *frame)
{
    char title[FH_MAP_WORDS], time[FH_MAP_WORDS], held[FH_UNIT_BYTES], in_memory[FH_UNIT_BYTES], size[FH_UNIT_BYTES];
    const struct fh_map_cell *total = &frame->total;
    uint64_t resident = fh_map_resident(total);
    printf("%s", fh_map_title(frame, title));
    if (map->frame_count > 1 && fh_map_time(frame, time)[0]) printf(", %s", time);
    printf("\n%s from the kernel, %s in memory, %.0f %% of it live; a cell is %s\n",
           fh_human(fh_map_held(total) + frame->stranded_bytes, held), fh_human(resident, in_memory),
           fh_percent(total->resident[FH_LIVE], resident), fh_map_cell_size(map->cell_shift, size));
    if (!frame->about.knows_pages) printf("a core does not say what was in memory: all that was ever used counts\n");
    if (total->pinned_bytes)
        printf("%s idle, on pages of which an eighth or less is live (blocks: %s)\n",
               fh_human(total->pinned_bytes, held), fh_grouped(total->pinning_blocks, size));
}

bool fh_map_print(const struct fh_map *map, const struct fh_map_terminal *terminal)
{
    struct fh_map_layout layout;
    if (!fh_map_make_layout(map, FH_MAP_TERMINAL_COLUMNS, &layout)) return false;
    for (size_t i = 0; i < map->frame_count; i++) {
        const struct fh_map_frame *frame = &map->frames[i];
        if (i) putchar('\n');
        print_head(map, frame);
        for (size_t j = 0; j < map->band_count; j++) print_band(map, frame, j, &layout, terminal);
    }
    print_legend(&map->frames[map->frame_count - 1], terminal);
    fh_map_free_layout(&layout);
    return true;
}
