/*
 * text.h - prose on a terminal.
 */
#ifndef FREEHOLD_TOOL_TEXT_H
#define FREEHOLD_TOOL_TEXT_H

#include <stddef.h>

enum { FH_TEXT_COLUMNS = 78 };

/* Breaks the text into lines on stdout; each begins with `indent` spaces, the first has them printed already. */
void fh_print_wrapped(const char *text, int indent);

/* Adds to a terminated text of `room` bytes, as far as there is room. */
void fh_text_append(char *text, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
