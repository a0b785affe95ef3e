/*
 * stroke_font.c - letters as strokes of a round pen, so that a picture needs no font file. Capitals are 70 high, small
 * letters 50; bowls are ellipses.
 *
 * A glyph is a list of commands: "m x y" moves the pen, "l x y" draws a line, "e x y rx ry a b" draws the ellipse
 * around x, y from angle a to b in degrees, counter-clockwise if b is larger, and leaves the pen at its end.
 */
#include "drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16 /* between glyphs */, FIRST = ' ', LAST = '~', ARC_STEP_DEGREES = 20 };

struct glyph {
    double width;
    const char *path;
};

static const struct glyph glyphs[LAST - FIRST + 1] = {
    [' ' - FIRST] = {12, ""},
    ['!' - FIRST] = {6, "m3 70 l3 22 m3 2 l3 0"},
    ['"' - FIRST] = {18, "m2 70 l2 52 m16 70 l16 52"},
    ['#' - FIRST] = {46, "m12 0 l20 70 m28 0 l36 70 m2 23 l44 23 m4 47 l46 47"},
    ['$' - FIRST] = {42, "e21 47 18 13 30 270 e21 21 20 13 90 -150 m21 72 l21 -4"},
    ['%' - FIRST] = {58, "e12 54 11 14 0 360 e46 16 11 14 0 360 m46 70 l12 0"},
    ['&' - FIRST] = {50, "m50 0 l12 47 e22 54 13 15 210 0 l14 36 e20 19 19 18 120 300 l48 32"},
    ['\'' - FIRST] = {4, "m2 70 l2 52"},
    ['(' - FIRST] = {16, "e26 29 24 54 125 235"},
    [')' - FIRST] = {16, "e-10 29 24 54 55 -55"},
    ['*' - FIRST] = {30, "m15 70 l15 40 m2 62 l28 48 m28 62 l2 48"},
    ['+' - FIRST] = {40, "m2 30 l38 30 m20 48 l20 12"},
    [',' - FIRST] = {8, "m5 2 l1 -12"},
    ['-' - FIRST] = {24, "m2 27 l22 27"},
    ['.' - FIRST] = {6, "m3 2 l3 0"},
    ['/' - FIRST] = {28, "m0 -8 l28 76"},
    ['0' - FIRST] = {40, "e20 35 20 35 0 360"},
    ['1' - FIRST] = {40, "m6 57 l22 70 l22 0"},
    ['2' - FIRST] = {40, "e20 51 19 19 165 -38 l1 0 l40 0"},
    ['3' - FIRST] = {40, "e18 53 17 17 150 -90 m12 36 l18 36 e18 18 20 18 90 -150"},
    ['4' - FIRST] = {40, "m30 0 l30 70 l0 19 l41 19"},
    ['5' - FIRST] = {40, "m36 70 l7 70 l4 39 e19 22.5 20 22.5 130 -148"},
    ['6' - FIRST] = {40, "e20 22 20 22 0 360 m0 22 e33 22 33 48 180 112"},
    ['7' - FIRST] = {40, "m0 70 l40 70 l14 0"},
    ['8' - FIRST] = {40, "e20 53 16.5 17 0 360 e20 18 20 18 0 360"},
    ['9' - FIRST] = {40, "e20 48 20 22 0 360 m40 48 e7 48 33 48 0 -68"},
    [':' - FIRST] = {6, "m3 2 l3 0 m3 46 l3 44"},
    [';' - FIRST] = {8, "m5 2 l1 -12 m5 46 l5 44"},
    ['<' - FIRST] = {36, "m34 52 l2 30 l34 8"},
    ['=' - FIRST] = {40, "m2 39 l38 39 m2 21 l38 21"},
    ['>' - FIRST] = {36, "m2 52 l34 30 l2 8"},
    ['?' - FIRST] = {34, "e16 53 15 17 165 -50 l16 30 l16 21 m16 2 l16 0"},
    ['@' - FIRST] = {66, "e33 28 33 36 -60 300 e32 28 13 16 0 360 m46 44 l45 22 e54 22 9 10 180 360"},
    ['A' - FIRST] = {52, "m0 0 l26 70 l52 0 m9 24 l43 24"},
    ['B' - FIRST] = {44, "m0 0 l0 70 l22 70 e22 53 18 17 90 -90 l0 36 m22 36 e24 18 20 18 90 -90 l0 0"},
    ['C' - FIRST] = {52, "e31 35 31 35 45 315"},
    ['D' - FIRST] = {52, "m0 0 l0 70 l18 70 e18 35 34 35 90 -90 l0 0"},
    ['E' - FIRST] = {40, "m39 70 l0 70 l0 0 l40 0 m0 36 l35 36"},
    ['F' - FIRST] = {38, "m38 70 l0 70 l0 0 m0 35 l34 35"},
    ['G' - FIRST] = {56, "e31 35 31 35 48 322 l56 33 l34 33"},
    ['H' - FIRST] = {48, "m0 0 l0 70 m48 0 l48 70 m0 36 l48 36"},
    ['I' - FIRST] = {4, "m2 70 l2 0"},
    ['J' - FIRST] = {30, "m30 70 l30 20 e14 20 16 20 0 -150"},
    ['K' - FIRST] = {46, "m0 70 l0 0 m43 70 l0 27 m16 42 l46 0"},
    ['L' - FIRST] = {38, "m0 70 l0 0 l38 0"},
    ['M' - FIRST] = {60, "m0 0 l0 70 l30 20 l60 70 l60 0"},
    ['N' - FIRST] = {48, "m0 0 l0 70 l48 0 l48 70"},
    ['O' - FIRST] = {62, "e31 35 31 35 0 360"},
    ['P' - FIRST] = {42, "m0 0 l0 70 l22 70 e22 51 20 19 90 -90 l0 32"},
    ['Q' - FIRST] = {62, "e31 35 31 35 0 360 m38 18 l60 -6"},
    ['R' - FIRST] = {46, "m0 0 l0 70 l22 70 e22 51 20 19 90 -90 l0 32 m24 32 l45 0"},
    ['S' - FIRST] = {46, "e23 53 20 17 35 270 e23 18 22 18 90 -148"},
    ['T' - FIRST] = {50, "m0 70 l50 70 m25 70 l25 0"},
    ['U' - FIRST] = {48, "m0 70 l0 26 e24 26 24 26 180 360 l48 70"},
    ['V' - FIRST] = {52, "m0 70 l26 0 l52 70"},
    ['W' - FIRST] = {76, "m0 70 l19 0 l38 66 l57 0 l76 70"},
    ['X' - FIRST] = {48, "m0 70 l48 0 m48 70 l0 0"},
    ['Y' - FIRST] = {50, "m0 70 l25 33 l50 70 m25 33 l25 0"},
    ['Z' - FIRST] = {46, "m0 70 l45 70 l0 0 l46 0"},
    ['[' - FIRST] = {14, "m14 78 l0 78 l0 -18 l14 -18"},
    ['\\' - FIRST] = {28, "m0 76 l28 -8"},
    [']' - FIRST] = {14, "m0 78 l14 78 l14 -18 l0 -18"},
    ['^' - FIRST] = {32, "m2 48 l16 68 l30 48"},
    ['_' - FIRST] = {40, "m0 -10 l40 -10"},
    ['`' - FIRST] = {12, "m0 70 l12 58"},
    ['a' - FIRST] = {40, "e20 25 20 25 0 360 m40 50 l40 0"},
    ['b' - FIRST] = {40, "m0 70 l0 0 m0 25 e20 25 20 25 180 540"},
    ['c' - FIRST] = {36, "e21 25 21 25 48 312"},
    ['d' - FIRST] = {40, "e20 25 20 25 0 360 m40 70 l40 0"},
    ['e' - FIRST] = {40, "m1 26 l40 26 e20 25 20 25 2 318"},
    ['f' - FIRST] = {24, "m9 0 l9 54 e23 54 14 16 180 85 m0 46 l22 46"},
    ['g' - FIRST] = {40, "e20 25 20 25 0 360 m40 50 l40 0 e20 0 20 20 0 -145"},
    ['h' - FIRST] = {37, "m0 70 l0 0 m0 30 e18.5 30 18.5 20 180 0 l37 0"},
    ['i' - FIRST] = {6, "m3 50 l3 0 m3 69 l3 67"},
    ['j' - FIRST] = {8, "m6 50 l6 -8 e-6 -8 12 13 0 -85 m6 69 l6 67"},
    ['k' - FIRST] = {35, "m0 70 l0 0 m33 50 l0 18 m12 30 l35 0"},
    ['l' - FIRST] = {6, "m3 70 l3 0"},
    ['m' - FIRST] = {62, "m0 50 l0 0 m0 32 e15.5 32 15.5 18 180 0 l31 0 m31 32 e46.5 32 15.5 18 180 0 l62 0"},
    ['n' - FIRST] = {37, "m0 50 l0 0 m0 30 e18.5 30 18.5 20 180 0 l37 0"},
    ['o' - FIRST] = {42, "e21 25 21 25 0 360"},
    ['p' - FIRST] = {40, "m0 50 l0 -20 m0 25 e20 25 20 25 180 540"},
    ['q' - FIRST] = {40, "e20 25 20 25 0 360 m40 50 l40 -20"},
    ['r' - FIRST] = {24, "m0 50 l0 0 m0 28 e20 28 20 22 180 78"},
    ['s' - FIRST] = {34, "e17 38 15 12 38 270 e17 13 17 13 90 -148"},
    ['t' - FIRST] = {24, "m9 65 l9 15 e22 15 13 15 180 282 m0 48 l23 48"},
    ['u' - FIRST] = {37, "m0 50 l0 20 e18.5 20 18.5 20 180 360 m37 50 l37 0"},
    ['v' - FIRST] = {38, "m0 50 l19 0 l38 50"},
    ['w' - FIRST] = {60, "m0 50 l15 0 l30 46 l45 0 l60 50"},
    ['x' - FIRST] = {36, "m0 50 l36 0 m36 50 l0 0"},
    ['y' - FIRST] = {38, "m0 50 l19 2 m38 50 l17 -9 l9 -19 l0 -20"},
    ['z' - FIRST] = {34, "m1 50 l33 50 l0 0 l34 0"},
    ['{' - FIRST] = {20, "m20 78 l12 74 l12 36 l2 30 l12 24 l12 -14 l20 -18"},
    ['|' - FIRST] = {4, "m2 78 l2 -18"},
    ['}' - FIRST] = {20, "m0 78 l8 74 l8 36 l18 30 l8 24 l8 -14 l0 -18"},
    ['~' - FIRST] = {40, "m2 26 e11 26 9 8 180 20 l29 24 e29 32 9 8 270 350"},
};
static const struct glyph dot = {10, "m5 28 l5 26"}, ellipsis = {50, "m3 2 l3 0 m25 2 l25 0 m47 2 l47 0"};
static const struct glyph unknown = {36, "m0 0 l0 60 l36 60 l36 0 l0 0"};

/* The character at *text. What is not ASCII is one of two signs or not known. */
static const struct glyph *next_glyph(const char **text)
{
    static const char dot_sign[] = "·", ellipsis_sign[] = "…";
    unsigned char c = (unsigned char)**text;
    if (strncmp(*text, dot_sign, sizeof(dot_sign) - 1) == 0) {
        *text += sizeof(dot_sign) - 1;
        return &dot;
    }
    if (strncmp(*text, ellipsis_sign, sizeof(ellipsis_sign) - 1) == 0) {
        *text += sizeof(ellipsis_sign) - 1;
        return &ellipsis;
    }
    do
        ++*text;
    while (((unsigned char)**text & 0xc0) == 0x80); /* the rest of a UTF-8 sequence */
    return c >= FIRST && c <= LAST ? &glyphs[c - FIRST] : &unknown;
}

struct pen {
    struct fh_stroke *strokes;
    size_t count;
    double x, y;
};

static void line_to(struct pen *pen, double x, double y)
{
    if (pen->count < FH_STROKES_MOST)
        pen->strokes[pen->count++] = (struct fh_stroke){pen->x, pen->y, x, y};
    pen->x = x;
    pen->y = y;
}

static void ellipse(struct pen *pen, const double n[6])
{
    static const double degree = 3.14159265358979323846 / 180;
    int steps = (int)(fabs(n[5] - n[4]) / ARC_STEP_DEGREES) + 1;
    for (int i = 0; i <= steps; i++) {
        double angle = (n[4] + (n[5] - n[4]) * i / steps) * degree;
        double x = n[0] + n[2] * cos(angle), y = n[1] + n[3] * sin(angle);
        if (i == 0) {
            pen->x = x;
            pen->y = y;
        } else {
            line_to(pen, x, y);
        }
    }
}

size_t fh_glyph(const char **text, struct fh_stroke strokes[FH_STROKES_MOST], double *advance)
{
    const struct glyph *glyph = next_glyph(text);
    struct pen pen = {.strokes = strokes};
    for (const char *at = glyph->path; *at;) {
        double numbers[6];
        char command = *at++;
        int count = command == 'e' ? 6 : 2;
        for (int i = 0; i < count; i++) {
            char *end;
            numbers[i] = strtod(at, &end);
            at = end;
        }
        at += *at == ' ';
        if (command == 'e') {
            ellipse(&pen, numbers);
        } else if (command == 'l') {
            line_to(&pen, numbers[0], numbers[1]);
        } else {
            pen.x = numbers[0];
            pen.y = numbers[1];
        }
    }
    *advance = glyph->width + SIDE;
    return pen.count;
}
