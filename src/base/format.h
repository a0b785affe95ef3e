/*
 * format.h - text without memory: lines built in a caller's buffer, for messages from inside the allocator.
 *
 * Layer: base. printf may allocate, take stdio's locks and call back into malloc; none of that is possible where
 * these lines are made. Text that does not fit is cut, and the line still ends in a newline where one was asked for.
 */
#ifndef FH_FORMAT_H
#define FH_FORMAT_H

#include "base.h"

struct fh_text {
    char *buffer;
    size_t size;   /* of buffer, in bytes, at least 2 */
    size_t length; /* written so far; buffer[length] is always 0 */
};

void fh_text_init(struct fh_text *text, char *buffer, size_t size);
void fh_text_add(struct fh_text *text, const char *string);
void fh_text_add_span(struct fh_text *text, const char *bytes, size_t length);
void fh_text_add_decimal(struct fh_text *text, uint64_t n);
/* The number with commas between its thousands, padded on the left to `width`. */
void fh_text_add_grouped(struct fh_text *text, uint64_t n, unsigned width);
/* 0x, then lower-case hexadecimal digits. */
void fh_text_add_hex(struct fh_text *text, uint64_t n);
/* Ends the line, replacing the last byte if the buffer is full. */
void fh_text_end_line(struct fh_text *text);

#endif
