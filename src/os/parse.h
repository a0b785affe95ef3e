/*
 * parse.h - numbers in the kernel's text files.
 *
 * Layer: os; included by os/ alone.
 */
#ifndef FH_PARSE_H
#define FH_PARSE_H

#include "base.h"

/* Reads a decimal number and moves on; UINT64_MAX where there is none. */
FH_INLINE uint64_t fh_parse_number(const char **text)
{
    const char *s = *text;
    while (*s == ' ' || *s == '\n') s++;
    if (*s < '0' || *s > '9') return UINT64_MAX;
    uint64_t n = 0;
    while (*s >= '0' && *s <= '9') n = n * 10 + (uint64_t)(*s++ - '0');
    *text = s;
    return n;
}

#endif
