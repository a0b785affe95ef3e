/*
 * map_picture.c - a map as a still picture: what it consists of and where each part stands. Which kind of file it is
 * drawn to is drawing.h's business.
 */
#include "cli.h"
#include "drawing.h"
#include "map.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    COLUMNS = 96,
    PITCH = 9, /* from cell to cell; one of it stays free */
    SIDE = PITCH - 1,
    MARGIN = 28,
    LABEL_WIDTH = 88,
    LEFT = MARGIN + LABEL_WIDTH,
    WIDTH = LEFT + COLUMNS * PITCH + MARGIN,
    FOLD_HEIGHT = 16,
    PNG_SCALE = 2,
    TOOLTIP_BYTES = 1024
};

struct picture {
    const struct fh_map *map;
    struct fh_map_layout layout;
    struct fh_drawing *drawing; /* NULL: only measured */
    double y;                   /* the upper end of what comes next */
};

static void put_text(struct picture *picture, double x, double y, double size, enum fh_text_style style, unsigned ink,
                     const char *text)
{
    if (picture->drawing) picture->drawing->text(picture->drawing, x, y, size, style, ink, false, text);
}

static void put_text_before(struct picture *picture, double x, double y, double size, unsigned ink, const char *text)
{
    if (picture->drawing) picture->drawing->text(picture->drawing, x, y, size, FH_TEXT_PLAIN, ink, true, text);
}

static void put_rectangle(struct picture *picture, double x, double y, double width, double height, unsigned ink)
{
    if (picture->drawing && width > 0 && height > 0)
        picture->drawing->rectangle(picture->drawing, x, y, width, height, ink);
}

static void put_circle(struct picture *picture, double x, double y, double radius, unsigned ink)
{
    if (picture->drawing) picture->drawing->circle(picture->drawing, x, y, radius, ink);
}

static void put_tooltip(struct picture *picture, const char *text)
{
    if (picture->drawing) picture->drawing->tooltip(picture->drawing, text);
}

/* --- cells --- */

static void put_marks(struct picture *picture, const struct fh_map_look *look, double x, double y)
{
    double middle = SIDE / 2.0;
    if (look->mark == FH_MARK_PURGED) {
        put_circle(picture, x + middle, y + middle / 2 + 1, 1, FH_INK_PURGED);
    } else if (look->mark == FH_MARK_PINNED || look->mark == FH_MARK_CACHED) {
        if (look->step > FH_LOOK_STEPS / 2) put_circle(picture, x + middle, y + middle, 2.6, FH_INK_PAPER);
        put_circle(picture, x + middle, y + middle, 1.8, look->mark == FH_MARK_PINNED ? FH_INK_PINNED : FH_INK_CACHED);
    }
}

static unsigned ink_of(const struct fh_map_look *look)
{
    switch (look->body) {
    case FH_BODY_MEMORY: return FH_INK_STEP + look->step;
    case FH_BODY_METADATA: return FH_INK_METADATA;
    case FH_BODY_GAP: return FH_INK_GAP;
    default: return FH_INK_EMPTY;
    }
}

static void put_cell(struct picture *picture, const struct fh_map_look *look, double x, double y)
{
    enum { SEEN_LEAST = 2 }; /* what has memory is seen */
    double height = look->body == FH_BODY_GAP ? SIDE : look->filled * SIDE;
    if (look->body == FH_BODY_EMPTY) height = 0;
    else if (height < SEEN_LEAST) height = SEEN_LEAST;
    else if (height > SIDE - 0.5) height = SIDE;
    height = (double)(int)(height * 2 + 0.5) / 2;
    put_rectangle(picture, x, y, SIDE, SIDE - height, FH_INK_EMPTY);
    put_rectangle(picture, x, y + SIDE - height, SIDE, height, ink_of(look));
    put_marks(picture, look, x, y);
}

static void put_row(struct picture *picture, const struct fh_map_frame *frame, const struct fh_map_band *band,
                    const struct fh_map_row *row, bool is_labelled)
{
    char text[TOOLTIP_BYTES], bytes[FH_UNIT_BYTES];
    if (row->folded_bytes) {
        snprintf(text, sizeof(text), "… %s without memory", fh_human(row->folded_bytes, bytes));
        put_text(picture, LEFT, picture->y + 11, 10.5, FH_TEXT_PLAIN, FH_INK_FAINT, text);
        picture->y += FOLD_HEIGHT;
        return;
    }
    if (is_labelled) {
        snprintf(text, sizeof(text), "%012" PRIx64, row->start);
        put_text(picture, MARGIN, picture->y + SIDE - 0.5, 10, FH_TEXT_MONO, FH_INK_FAINT, text);
    }
    for (size_t i = 0; i < row->slots; i++) {
        int32_t number = picture->layout.slots[row->first_slot + i];
        struct fh_map_look look;
        if (number == FH_MAP_NO_CELL) continue;
        const struct fh_map_cell *cell = &frame->cells[number];
        fh_map_look(cell, (uint64_t)1 << band->cell_shift, &look);
        if (look.body == FH_BODY_NONE) continue;
        put_tooltip(picture, fh_map_cell_text(picture->map, frame, band, (size_t)number, text, sizeof(text)));
        put_cell(picture, &look, LEFT + (double)i * PITCH, picture->y);
    }
    put_tooltip(picture, NULL);
    picture->y += PITCH;
}

static void put_band(struct picture *picture, const struct fh_map_frame *frame, size_t number)
{
    const struct fh_map_band *band = &picture->map->bands[number];
    const struct fh_map_band_rows *rows = &picture->layout.bands[number];
    char name[FH_MAP_WORDS], summary[FH_MAP_WORDS], held[FH_UNIT_BYTES], in_memory[FH_UNIT_BYTES], size[FH_UNIT_BYTES];
    struct fh_map_cell sum;
    fh_map_sum(frame, band, &sum);
    if (fh_map_held(&sum) + sum.gap_bytes == 0) return; /* of another frame */
    uint64_t resident = fh_map_resident(&sum);
    bool is_same = band->cell_shift == picture->map->cell_shift;
    snprintf(summary, sizeof(summary), "%s held · %s in memory · %.0f %% live%s%s%s", fh_human(fh_map_held(&sum), held),
             fh_human(resident, in_memory), fh_percent(sum.resident[FH_LIVE], resident), is_same ? "" : " · a cell is ",
             is_same ? "" : fh_map_cell_size(band->cell_shift, size), is_same ? "" : " here");
    picture->y += 30;
    put_text(picture, LEFT, picture->y, 13, FH_TEXT_BOLD, FH_INK_TEXT, fh_map_band_name(band, name));
    put_text_before(picture, WIDTH - MARGIN, picture->y, 11.5, FH_INK_FAINT, summary);
    picture->y += 9;
    unsigned since_label = 0; /* every other row has one, and each behind a fold */
    for (size_t i = rows->first; i < rows->first + rows->count; i++) {
        const struct fh_map_row *row = &picture->layout.rows[i];
        put_row(picture, frame, band, row, since_label % 2 == 0);
        since_label = row->folded_bytes ? 0 : since_label + 1;
    }
}

/* --- above the cells --- */

static const unsigned item_inks[FH_ITEMS] = {
    FH_INK_STEP + FH_LOOK_STEPS - 1, FH_INK_RULE, FH_INK_CACHED, FH_INK_STEP, FH_INK_EMPTY, FH_INK_METADATA};

/* What of the memory is what: a bar, and its legend. */
static void put_account(struct picture *picture, const struct fh_map_frame *frame)
{
    enum { BAR = 12 };
    const struct fh_map_cell *total = &frame->total;
    uint64_t resident = fh_map_resident(total);
    double at = MARGIN, width = WIDTH - 2 * MARGIN;
    char text[FH_MAP_WORDS], bytes[FH_UNIT_BYTES];
    for (int i = 0; i < FH_ITEMS && resident; i++) {
        double part = width * (double)total->resident[i] / (double)resident;
        put_rectangle(picture, at, picture->y, part > 1.5 ? part - 1 : part, BAR, item_inks[i]);
        at += part;
    }
    picture->y += BAR + 17;
    at = MARGIN;
    for (int i = 0; i < FH_ITEMS; i++) {
        if (i == FH_UNTOUCHED) continue;
        put_rectangle(picture, at, picture->y - 8, 9, 9, item_inks[i]);
        snprintf(text, sizeof(text), "%s %s", fh_item_names[i], fh_human(total->resident[i], bytes));
        put_text(picture, at + 14, picture->y, 11.5, FH_TEXT_PLAIN, FH_INK_TEXT, text);
        at += 136;
    }
    picture->y += 24;
}

static void put_figure(struct picture *picture, double *x, const char *value, const char *label)
{
    put_text(picture, *x, picture->y + 20, 20, FH_TEXT_BOLD, FH_INK_TEXT, value);
    put_text(picture, *x, picture->y + 37, 11.5, FH_TEXT_PLAIN, FH_INK_FAINT, label);
    *x += 190;
}

static void put_figures(struct picture *picture, const struct fh_map_frame *frame)
{
    const struct fh_map_cell *total = &frame->total;
    char text[FH_MAP_WORDS], bytes[FH_UNIT_BYTES];
    uint64_t resident = fh_map_resident(total);
    double x = MARGIN;
    put_figure(picture, &x, fh_human(fh_map_held(total) + frame->stranded_bytes, bytes), "from the kernel");
    put_figure(picture, &x, fh_human(resident, bytes), "of it in memory");
    snprintf(text, sizeof(text), "%.0f %%", fh_percent(total->resident[FH_LIVE], resident));
    put_figure(picture, &x, text, "of the memory is live");
    snprintf(text, sizeof(text), "idle on pages of %s blocks", fh_grouped(total->pinning_blocks, bytes));
    put_figure(picture, &x, fh_human(total->pinned_bytes, bytes), text);
    put_figure(picture, &x, fh_human(total->purged_bytes, bytes), "given back in between");
    picture->y += 54;
}

/* One sample cell, and what it means. */
static void put_sample(struct picture *picture, double *x, const struct fh_map_look *look, const char *text)
{
    put_cell(picture, look, *x, picture->y - 7.5);
    put_text(picture, *x + 14, picture->y, 11.5, FH_TEXT_PLAIN, FH_INK_FAINT, text);
    *x += 26 + 6.3 * (double)strlen(text);
}

static void put_legend(struct picture *picture)
{
    double x = MARGIN + 76;
    picture->y += 12;
    put_text(picture, MARGIN, picture->y, 11.5, FH_TEXT_PLAIN, FH_INK_FAINT, "nothing live");
    for (unsigned i = 0; i < FH_LOOK_STEPS; i++, x += PITCH)
        put_rectangle(picture, x, picture->y - 7.5, SIDE, SIDE, FH_INK_STEP + i);
    put_text(picture, x + 6, picture->y, 11.5, FH_TEXT_PLAIN, FH_INK_FAINT, "all live");
    x += 70;
    struct fh_map_look look = {.body = FH_BODY_MEMORY, .step = FH_LOOK_STEPS - 2, .filled = 0.5};
    put_sample(picture, &x, &look, "half in memory");
    put_sample(picture, &x, &(struct fh_map_look){.body = FH_BODY_EMPTY}, "never used");
    put_sample(picture, &x, &(struct fh_map_look){.body = FH_BODY_EMPTY, .mark = FH_MARK_PURGED}, "given back");
    look = (struct fh_map_look){.body = FH_BODY_MEMORY, .filled = 1, .mark = FH_MARK_PINNED};
    put_sample(picture, &x, &look, "kept by few live bytes");
    look.mark = FH_MARK_CACHED;
    put_sample(picture, &x, &look, "in threads' caches");
    put_sample(picture, &x, &(struct fh_map_look){.body = FH_BODY_METADATA, .filled = 1}, "the library's own");
    picture->y += 2;
}

static void put_head(struct picture *picture, const struct fh_map_frame *frame)
{
    char title[FH_MAP_WORDS], text[2 * FH_MAP_WORDS], time[FH_MAP_WORDS], size[FH_UNIT_BYTES];
    picture->y += 18;
    put_text(picture, MARGIN, picture->y, 18, FH_TEXT_BOLD, FH_INK_TEXT, fh_map_title(frame, title));
    fh_map_time(frame, time);
    snprintf(text, sizeof(text), "%s%sa cell is %s", time, time[0] ? " · " : "",
             fh_map_cell_size(picture->map->cell_shift, size));
    put_text_before(picture, WIDTH - MARGIN, picture->y, 12, FH_INK_FAINT, text);
    picture->y += 16;
}

/* Draws it, or finds out how high it is. */
static double draw(struct picture *picture, struct fh_drawing *drawing)
{
    picture->drawing = drawing;
    picture->y = MARGIN;
    for (size_t i = 0; i < picture->map->frame_count; i++) {
        const struct fh_map_frame *frame = &picture->map->frames[i];
        if (i) picture->y += 2 * MARGIN;
        put_head(picture, frame);
        put_figures(picture, frame);
        put_account(picture, frame);
        if (i == 0) put_legend(picture);
        for (size_t j = 0; j < picture->map->band_count; j++) put_band(picture, frame, j);
    }
    return picture->y + MARGIN;
}

static int write_picture(const char *verb, const struct fh_map *map, const char *file, bool is_svg)
{
    struct picture picture = {.map = map};
    struct fh_pixels pixels;
    struct fh_svg svg;
    char title[FH_MAP_WORDS];
    if (!fh_map_make_layout(map, COLUMNS, &picture.layout)) {
        fh_say(verb, "out of memory");
        return FH_EXIT_FAILED;
    }
    FILE *out = fopen(file, "we");
    bool good = true;
    double height = draw(&picture, NULL);
    if (out && is_svg) {
        fh_svg_begin(&svg, out, WIDTH, height, fh_map_title(&map->frames[0], title));
        draw(&picture, &svg.drawing);
        fh_svg_end(&svg);
    } else if (out) {
        good = fh_pixels_begin(&pixels, WIDTH, height, PNG_SCALE);
        if (good) {
            draw(&picture, &pixels.drawing);
            good = fh_pixels_write_png(&pixels, out);
        }
        fh_pixels_end(&pixels);
    }
    fh_map_free_layout(&picture.layout);
    if (!good)
        fh_say(verb, "no memory for a picture of %d x %.0f points; --cell with a larger size makes it smaller", WIDTH,
               height);
    return fh_close_output(verb, out, file) || !good ? FH_EXIT_FAILED : FH_EXIT_OK;
}

int fh_map_write_svg(const char *verb, const struct fh_map *map, const char *file)
{
    return write_picture(verb, map, file, true);
}

int fh_map_write_png(const char *verb, const struct fh_map *map, const char *file)
{
    return write_picture(verb, map, file, false);
}
