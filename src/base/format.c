/*
 * format.c - see format.h.
 *
 * Layer: base.
 */
#include "format.h"

void fh_text_init(struct fh_text *text, char *buffer, size_t size)
{
    text->buffer = buffer;
    text->size = size;
    text->length = 0;
    buffer[0] = 0;
}

void fh_text_add_span(struct fh_text *text, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && text->length + 1 < text->size; i++) text->buffer[text->length++] = bytes[i];
    text->buffer[text->length] = 0;
}

void fh_text_add(struct fh_text *text, const char *string)
{
    size_t length = 0;
    while (string[length]) length++;
    fh_text_add_span(text, string, length);
}

/* Digits of n in `base`, most significant first; a comma every `group` digits when group is not 0. */
static size_t digits_of(char *out, size_t size, uint64_t n, unsigned base, unsigned group)
{
    char reversed[32];
    size_t count = 0, digits = 0;
    do {
        if (group && digits && digits % group == 0) reversed[count++] = ',';
        reversed[count++] = "0123456789abcdef"[n % base];
        digits++;
        n /= base;
    } while (n && count + 2 < sizeof reversed);
    if (count > size) count = size;
    for (size_t i = 0; i < count; i++) out[i] = reversed[count - 1 - i];
    return count;
}

void fh_text_add_decimal(struct fh_text *text, uint64_t n)
{
    char digits[32];
    fh_text_add_span(text, digits, digits_of(digits, sizeof digits, n, 10, 0));
}

void fh_text_add_grouped(struct fh_text *text, uint64_t n, unsigned width)
{
    char digits[32];
    size_t count = digits_of(digits, sizeof digits, n, 10, 3);
    for (size_t i = count; i < width; i++) fh_text_add_span(text, " ", 1);
    fh_text_add_span(text, digits, count);
}

void fh_text_add_hex(struct fh_text *text, uint64_t n)
{
    char digits[32];
    fh_text_add(text, "0x");
    fh_text_add_span(text, digits, digits_of(digits, sizeof digits, n, 16, 0));
}

void fh_text_end_line(struct fh_text *text)
{
    if (text->length + 1 >= text->size) text->length = text->size - 2;
    text->buffer[text->length++] = '\n';
    text->buffer[text->length] = 0;
}
