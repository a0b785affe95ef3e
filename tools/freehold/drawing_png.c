/*
 * drawing_png.c - a picture as pixels: rectangles, dots and strokes with smooth edges, on light paper.
 */
#include "drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STROKE_HUNDREDTHS = 8, BOLD_HUNDREDTHS = 12, MONO_ADVANCE = 56 };

static void blend(struct fh_pixels *pixels, int x, int y, uint32_t color, double coverage)
{
    if (x < 0 || y < 0 || x >= (int)pixels->width || y >= (int)pixels->height || coverage <= 0) return;
    unsigned char *rgb = pixels->rgb + ((size_t)y * pixels->width + (size_t)x) * 3;
    for (int i = 0; i < 3; i++) {
        double value = color >> (16 - 8 * i) & 255;
        rgb[i] = (unsigned char)(rgb[i] + (value - rgb[i]) * (coverage < 1 ? coverage : 1) + 0.5);
    }
}

/* How much of the pixel [i, i + 1) is in [from, to). */
static double overlap(int i, double from, double to)
{
    double low = from > i ? from : i, high = to < i + 1 ? to : i + 1;
    return high > low ? high - low : 0;
}

static void rectangle(struct fh_drawing *drawing, double x, double y, double width, double height, unsigned ink)
{
    struct fh_pixels *pixels = (struct fh_pixels *)drawing;
    double scale = pixels->scale, x0 = x * scale, y0 = y * scale, x1 = x0 + width * scale, y1 = y0 + height * scale;
    uint32_t color = fh_ink_color(false, ink);
    for (int row = (int)floor(y0); row < y1; row++) {
        for (int column = (int)floor(x0); column < x1; column++)
            blend(pixels, column, row, color, overlap(column, x0, x1) * overlap(row, y0, y1));
    }
}

static void circle(struct fh_drawing *drawing, double x, double y, double radius, unsigned ink)
{
    struct fh_pixels *pixels = (struct fh_pixels *)drawing;
    double scale = pixels->scale, r = radius * scale;
    uint32_t color = fh_ink_color(false, ink);
    x *= scale;
    y *= scale;
    for (int row = (int)(y - r) - 1; row <= y + r + 1; row++) {
        for (int column = (int)(x - r) - 1; column <= x + r + 1; column++)
            blend(pixels, column, row, color, r + 0.5 - hypot(column + 0.5 - x, row + 0.5 - y));
    }
}

static double distance_to(const struct fh_stroke *stroke, double x, double y)
{
    double dx = stroke->x1 - stroke->x0, dy = stroke->y1 - stroke->y0, length = dx * dx + dy * dy;
    double along = length > 0 ? ((x - stroke->x0) * dx + (y - stroke->y0) * dy) / length : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    return hypot(x - stroke->x0 - along * dx, y - stroke->y0 - along * dy);
}

/* `x`, `y`: where the glyph's origin is, in pixels; `unit`: pixels for a hundredth of the text's size. */
static void draw_glyph(struct fh_pixels *pixels, const struct fh_stroke *strokes, size_t count, double x, double y,
                       double unit, double pen, uint32_t color)
{
    double left = 1e9, right = -1e9, low = 1e9, high = -1e9;
    for (size_t i = 0; i < count; i++) {
        left = fmin(left, fmin(strokes[i].x0, strokes[i].x1));
        right = fmax(right, fmax(strokes[i].x0, strokes[i].x1));
        low = fmin(low, fmin(strokes[i].y0, strokes[i].y1));
        high = fmax(high, fmax(strokes[i].y0, strokes[i].y1));
    }
    for (int row = (int)floor(y - high * unit - pen - 1); row < y - low * unit + pen + 1; row++) {
        for (int column = (int)floor(x + left * unit - pen - 1); column < x + right * unit + pen + 1; column++) {
            double nearest = 1e9;
            for (size_t i = 0; i < count; i++)
                nearest = fmin(nearest, distance_to(&strokes[i], (column + 0.5 - x) / unit, (y - row - 0.5) / unit));
            blend(pixels, column, row, color, pen / 2 + 0.5 - nearest * unit);
        }
    }
}

static double text_width(const char *words, enum fh_text_style style)
{
    struct fh_stroke strokes[FH_STROKES_MOST];
    double width = 0, advance;
    while (*words) {
        fh_glyph(&words, strokes, &advance);
        width += style == FH_TEXT_MONO ? MONO_ADVANCE : advance;
    }
    return width;
}

static void text(struct fh_drawing *drawing, double x, double y, double size, enum fh_text_style style, unsigned ink,
                 bool ends_at_x, const char *words)
{
    struct fh_pixels *pixels = (struct fh_pixels *)drawing;
    struct fh_stroke strokes[FH_STROKES_MOST];
    double unit = size * pixels->scale / 100, advance;
    double pen = unit * (style == FH_TEXT_BOLD ? BOLD_HUNDREDTHS : STROKE_HUNDREDTHS);
    double at = x * pixels->scale - (ends_at_x ? text_width(words, style) * unit : 0);
    while (*words) {
        size_t count = fh_glyph(&words, strokes, &advance);
        double aside = style == FH_TEXT_MONO ? (MONO_ADVANCE - advance) / 2 * unit : 0;
        draw_glyph(pixels, strokes, count, at + aside, y * pixels->scale, unit, pen, fh_ink_color(false, ink));
        at += unit * (style == FH_TEXT_MONO ? MONO_ADVANCE : advance);
    }
}

static void tooltip(struct fh_drawing *drawing, const char *words) { (void)drawing, (void)words; }

bool fh_pixels_begin(struct fh_pixels *pixels, double width, double height, unsigned scale)
{
    *pixels = (struct fh_pixels){.drawing = {rectangle, circle, text, tooltip}, .scale = scale};
    pixels->width = (unsigned)(width * scale);
    pixels->height = (unsigned)(height * scale);
    pixels->rgb = calloc((size_t)pixels->width * pixels->height, 3);
    if (!pixels->rgb) return false;
    rectangle(&pixels->drawing, 0, 0, width, height, FH_INK_PAPER);
    return true;
}

bool fh_pixels_write_png(const struct fh_pixels *pixels, FILE *out)
{
    return fh_png_write(out, pixels->rgb, pixels->width, pixels->height);
}

void fh_pixels_end(struct fh_pixels *pixels) { free(pixels->rgb); }
