/*
 * drawing_svg.c - a picture as SVG, which needs nothing but itself and turns dark where the browser is.
 */
#include "drawing.h"

#include "html.h"
#include "map.h"

enum { INKS = FH_INK_STEP + FH_LOOK_STEPS };

uint32_t fh_ink_color(bool dark, unsigned ink)
{
    const struct fh_look_colors *colors = &fh_look_colors[dark];
    switch (ink) {
    case FH_INK_PAPER: return colors->paper;
    case FH_INK_TEXT: return colors->ink;
    case FH_INK_FAINT: return colors->faint;
    case FH_INK_RULE: return colors->rule;
    case FH_INK_EMPTY: return colors->empty;
    case FH_INK_METADATA: return colors->metadata;
    case FH_INK_GAP: return colors->gap;
    case FH_INK_PINNED: return colors->pinned;
    case FH_INK_CACHED: return colors->cached;
    case FH_INK_PURGED: return colors->purged;
    default: return fh_look_steps[dark][ink - FH_INK_STEP];
    }
}

static void rectangle(struct fh_drawing *drawing, double x, double y, double width, double height, unsigned ink)
{
    struct fh_svg *svg = (struct fh_svg *)drawing;
    fprintf(svg->out, "<rect class=\"c%u\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", ink, x, y, width, height);
}

static void circle(struct fh_drawing *drawing, double x, double y, double radius, unsigned ink)
{
    struct fh_svg *svg = (struct fh_svg *)drawing;
    fprintf(svg->out, "<circle class=\"c%u\" cx=\"%g\" cy=\"%g\" r=\"%g\"/>\n", ink, x, y, radius);
}

static void text(struct fh_drawing *drawing, double x, double y, double size, enum fh_text_style style, unsigned ink,
                 bool ends_at_x, const char *words)
{
    static const char *const styles[] = {"", " b", " m"};
    struct fh_svg *svg = (struct fh_svg *)drawing;
    fprintf(svg->out, "<text class=\"c%u%s\" x=\"%g\" y=\"%g\" font-size=\"%g\"%s>", ink, styles[style], x, y, size,
            ends_at_x ? " text-anchor=\"end\"" : "");
    fh_html_text(svg->out, words);
    fputs("</text>\n", svg->out);
}

static void tooltip(struct fh_drawing *drawing, const char *words)
{
    struct fh_svg *svg = (struct fh_svg *)drawing;
    if (svg->in_group) fputs("</g>\n", svg->out);
    svg->in_group = words != NULL;
    if (!words) return;
    fputs("<g><title>", svg->out);
    fh_html_text(svg->out, words);
    fputs("</title>", svg->out);
}

void fh_svg_begin(struct fh_svg *svg, FILE *out, double width, double height, const char *title)
{
    *svg = (struct fh_svg){.drawing = {rectangle, circle, text, tooltip}, .out = out};
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\">\n<title>",
            width, height, width, height);
    fh_html_text(out, title);
    fputs("</title>\n<style>\n"
          "text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; white-space: pre; }\n"
          ".b { font-weight: 600; }\n"
          ".m { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }\n"
          "g:hover > rect { stroke: #1b1f24; stroke-width: 1; }\n",
          out);
    for (int dark = 0; dark < 2; dark++) {
        fputs(dark ? "@media (prefers-color-scheme: dark) {\ng:hover > rect { stroke: #e8eaed; }\n" : "", out);
        for (unsigned ink = 0; ink < INKS; ink++)
            fprintf(out, ".c%u { fill: #%06x; }\n", ink, (unsigned)fh_ink_color(dark, ink));
    }
    fputs("}\n</style>\n", out);
    rectangle(&svg->drawing, 0, 0, width, height, FH_INK_PAPER);
}

void fh_svg_end(struct fh_svg *svg)
{
    tooltip(&svg->drawing, NULL);
    fputs("</svg>\n", svg->out);
}
