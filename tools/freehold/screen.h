/*
 * screen.h - lines of cells with a colour each: what a view writes, for a terminal that is redrawn or for plain text.
 */
#ifndef FREEHOLD_TOOL_SCREEN_H
#define FREEHOLD_TOOL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fh_ink {
    FH_INK_PLAIN,
    FH_INK_TITLE, /* heads of tables and of views */
    FH_INK_DIM,
    FH_INK_LIVE,
    FH_INK_FREE,
    FH_INK_OTHER, /* cached, rounding, metadata */
    FH_INK_ALARM,
    FH_INK_CHOSEN, /* the line that the cursor is on */
    FH_INKS
};

struct fh_cell {
    uint32_t glyph; /* Unicode */
    uint8_t ink;
};

struct fh_screen {
    int columns;
    bool unicode; /* false: ASCII only */
    struct fh_cell *cells;
    int lines, room;
    int column; /* where the last line ends */
    bool out_of_memory;
};

void fh_screen_clear(struct fh_screen *screen, int columns, bool unicode);
void fh_screen_free(struct fh_screen *screen);
/* Begins a line. */
void fh_screen_line(struct fh_screen *screen);
/* Adds to the last line, as far as there is room. */
void fh_screen_put(struct fh_screen *screen, enum fh_ink ink, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void fh_screen_glyph(struct fh_screen *screen, enum fh_ink ink, uint32_t glyph);
/* Adds spaces up to that column. */
void fh_screen_column(struct fh_screen *screen, int column);
/* A bar of `width` cells, of which the part value / all is filled. */
void fh_screen_bar(struct fh_screen *screen, enum fh_ink ink, double value, double all, int width);
const struct fh_cell *fh_screen_at(const struct fh_screen *screen, int line);
/* All lines on stdout, without colours and without spaces at their ends. */
void fh_screen_print(const struct fh_screen *screen);
/* Bytes of the glyph as UTF-8. */
size_t fh_utf8(uint32_t glyph, char bytes[5]);

#endif
