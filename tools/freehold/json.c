/*
 * json.c - writing JSON to stdout.
 */
#include "json.h"

#include <stddef.h>
#include <stdio.h>

/* Length of the UTF-8 sequence at `text`; 0 when it is none (also for overlong ones and for surrogates). */
static size_t sequence_length(const unsigned char *text)
{
    size_t length = 0;
    if (text[0] < 0x80)
        length = 1;
    else if (text[0] >= 0xc2 && text[0] < 0xf5)
        length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0; /* the end of the string ends up here too */
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f))
        return 0;
    if ((text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

void fh_json_string(const char *text)
{
    if (!text) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = sequence_length(at);
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            printf("\\u%04x", *at);
        else if (length == 0)
            fputs("\\ufffd", stdout);
        else
            fwrite(at, 1, length, stdout);
        at += length ? length : 1;
    }
    putchar('"');
}
