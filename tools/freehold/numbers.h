/*
 * numbers.h - numbers for people.
 */
#ifndef FREEHOLD_TOOL_NUMBERS_H
#define FREEHOLD_TOOL_NUMBERS_H

#include <stdint.h>

enum { FH_NUMBER_BYTES = 32 };

/* "1,234,567"; returns out. */
const char *fh_number(char out[FH_NUMBER_BYTES], uint64_t value);
/* "12.3 ms", "1.20 s": three digits and a unit; returns out. */
const char *fh_duration(char out[FH_NUMBER_BYTES], double ns);

#endif
