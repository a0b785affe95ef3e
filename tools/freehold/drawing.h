/*
 * drawing.h - a still picture, in points from its upper left corner: to SVG (drawing_svg.c) or to pixels and a PNG file
 * (drawing_png.c), from the same calls.
 */
#ifndef FREEHOLD_TOOL_DRAWING_H
#define FREEHOLD_TOOL_DRAWING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What things are, not which colour that is: a browser may have dark paper. Steps of occupancy follow the last one. */
enum fh_ink {
    FH_INK_PAPER,
    FH_INK_TEXT,
    FH_INK_FAINT,
    FH_INK_RULE,
    FH_INK_EMPTY,
    FH_INK_METADATA,
    FH_INK_GAP,
    FH_INK_PINNED,
    FH_INK_CACHED,
    FH_INK_PURGED,
    FH_INK_STEP
};
enum fh_text_style { FH_TEXT_PLAIN, FH_TEXT_BOLD, FH_TEXT_MONO };

struct fh_drawing {
    void (*rectangle)(struct fh_drawing *drawing, double x, double y, double width, double height, unsigned ink);
    void (*circle)(struct fh_drawing *drawing, double x, double y, double radius, unsigned ink);
    /* On the base line y; from x on, or up to x. */
    void (*text)(struct fh_drawing *drawing, double x, double y, double size, enum fh_text_style style, unsigned ink,
                 bool ends_at_x, const char *text);
    /* What follows is one thing with this tooltip, until the next or NULL. */
    void (*tooltip)(struct fh_drawing *drawing, const char *text);
};

/* Colour of an ink, 0xrrggbb. */
uint32_t fh_ink_color(bool dark, unsigned ink);

struct fh_svg {
    struct fh_drawing drawing; /* first */
    FILE *out;
    bool in_group;
};
void fh_svg_begin(struct fh_svg *svg, FILE *out, double width, double height, const char *title);
void fh_svg_end(struct fh_svg *svg);

struct fh_pixels {
    struct fh_drawing drawing;     /* first */
    unsigned width, height, scale; /* in pixels; pixels to a point */
    unsigned char *rgb;
};
/* False without memory. */
bool fh_pixels_begin(struct fh_pixels *pixels, double width, double height, unsigned scale);
bool fh_pixels_write_png(const struct fh_pixels *pixels, FILE *out);
void fh_pixels_end(struct fh_pixels *pixels);

/* png.c: rows of width * 3 bytes. False without memory. */
bool fh_png_write(FILE *out, const unsigned char *rgb, unsigned width, unsigned height);

/* stroke_font.c: a glyph as strokes, for drawing with a round pen. In units of a hundredth of the text's size: capitals
 * are 70 high. */
struct fh_stroke {
    double x0, y0, x1, y1; /* y upwards from the base line */
};
enum { FH_STROKES_MOST = 96 };
/* The glyph of the character at *text, which moves on behind it; its strokes, how many, and its advance. */
size_t fh_glyph(const char **text, struct fh_stroke strokes[FH_STROKES_MOST], double *advance);

#endif
