/*
 * screen.c - lines of cells with a colour each.
 */
#include "screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1024, ASCII_END = 0x7f };

void fh_screen_clear(struct fh_screen *screen, int columns, bool unicode)
{
    if (columns != screen->columns) {
        free(screen->cells);
        screen->cells = NULL;
        screen->room = 0;
    }
    screen->columns = columns > 1 ? columns : 1;
    screen->unicode = unicode;
    screen->lines = 0;
    screen->column = 0;
}

void fh_screen_free(struct fh_screen *screen)
{
    free(screen->cells);
    *screen = (struct fh_screen){0};
}

void fh_screen_line(struct fh_screen *screen)
{
    if (screen->lines == screen->room) {
        int room = screen->room ? 2 * screen->room : 64;
        struct fh_cell *larger = realloc(screen->cells, (size_t)room * (size_t)screen->columns * sizeof(*larger));
        screen->out_of_memory = larger == NULL;
        if (!larger)
            return;
        screen->cells = larger;
        screen->room = room;
    }
    struct fh_cell *line = screen->cells + (size_t)screen->lines++ * (size_t)screen->columns;
    for (int i = 0; i < screen->columns; i++)
        line[i] = (struct fh_cell){' ', FH_INK_PLAIN};
    screen->column = 0;
}

void fh_screen_glyph(struct fh_screen *screen, enum fh_ink ink, uint32_t glyph)
{
    if (screen->out_of_memory || screen->lines == 0 || screen->column >= screen->columns)
        return;
    if (glyph < ' ' || glyph == ASCII_END) /* names come from strangers */
        glyph = '?';
    struct fh_cell *line = screen->cells + (size_t)(screen->lines - 1) * (size_t)screen->columns;
    line[screen->column++] = (struct fh_cell){glyph, (uint8_t)ink};
}

/* The next character of UTF-8 text; what is none, and what an ASCII screen cannot show, is '?'. */
static uint32_t next_glyph(const struct fh_screen *screen, const unsigned char **at)
{
    const unsigned char *text = *at;
    int more = text[0] < 0x80 ? 0 : text[0] < 0xc2 ? -1 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    uint32_t glyph = more == 0 ? text[0] : more > 0 ? text[0] & (0x3f >> more) : '?';
    *at = text + 1;
    for (int i = 0; i < more; i++) {
        if ((**at & 0xc0) != 0x80)
            return '?';
        glyph = glyph << 6 | (**at & 0x3f);
        ++*at;
    }
    return glyph < 0x80 || screen->unicode ? glyph : '?';
}

void fh_screen_put(struct fh_screen *screen, enum fh_ink ink, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (const unsigned char *at = (const unsigned char *)text; *at;)
        fh_screen_glyph(screen, ink, next_glyph(screen, &at));
}

void fh_screen_column(struct fh_screen *screen, int column)
{
    while (screen->column < column && screen->column < screen->columns)
        fh_screen_glyph(screen, FH_INK_PLAIN, ' ');
}

void fh_screen_bar(struct fh_screen *screen, enum fh_ink ink, double value, double all, int width)
{
    double part = all > 0 ? value / all : 0;
    int eighths = (int)((part < 0 ? 0 : part > 1 ? 1 : part) * width * 8 + 0.5);
    for (int i = 0; i < width; i++, eighths -= 8) {
        if (!screen->unicode)
            fh_screen_glyph(screen, ink, eighths >= 4 ? '#' : ' ');
        else if (eighths >= 8)
            fh_screen_glyph(screen, ink, 0x2588);
        else /* 0x258f is one eighth, from the left */
            fh_screen_glyph(screen, ink, eighths > 0 ? 0x2590 - (uint32_t)eighths : ' ');
    }
}

const struct fh_cell *fh_screen_at(const struct fh_screen *screen, int line)
{
    return screen->cells + (size_t)line * (size_t)screen->columns;
}

size_t fh_utf8(uint32_t glyph, char bytes[5])
{
    size_t length = glyph < 0x80 ? 1 : glyph < 0x800 ? 2 : glyph < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length; i-- > 1; glyph >>= 6)
        bytes[i] = (char)(0x80 | (glyph & 0x3f));
    bytes[0] = (char)(first[length] | glyph);
    bytes[length] = '\0';
    return length;
}

void fh_screen_print(const struct fh_screen *screen)
{
    char bytes[5];
    for (int line = 0; line < screen->lines; line++) {
        const struct fh_cell *cells = fh_screen_at(screen, line);
        int end = screen->columns;
        while (end > 0 && cells[end - 1].glyph == ' ')
            end--;
        for (int i = 0; i < end; i++)
            fwrite(bytes, 1, fh_utf8(cells[i].glyph, bytes), stdout);
        putchar('\n');
    }
}
