/*
 * text.c - prose on a terminal.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fh_print_wrapped(const char *text, int indent)
{
    int column = indent;
    for (const char *word = text; *word;) {
        int length = (int)strcspn(word, " ");
        if (column > indent && column + 1 + length > FH_TEXT_COLUMNS) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, word);
        column += length;
        word += length + (word[length] == ' ');
    }
    putchar('\n');
}

void fh_text_append(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    if (used < room)
        vsnprintf(text + used, room - used, format, args);
    va_end(args);
}
