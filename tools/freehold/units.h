/*
 * units.h - numbers as people read them.
 */
#ifndef FREEHOLD_TOOL_UNITS_H
#define FREEHOLD_TOOL_UNITS_H

#include <stdint.h>

enum { FH_UNIT_BYTES = 32 };

/* "1,234,567" */
const char *fh_grouped(uint64_t number, char text[FH_UNIT_BYTES]);
/* "1.2 MB": three or four digits at most, powers of 1,000 as in the account */
const char *fh_human(uint64_t bytes, char text[FH_UNIT_BYTES]);
/* "0x7f12…" of 2 + 12 digits at least */
const char *fh_hex(uint64_t address, char text[FH_UNIT_BYTES]);
/* "3 s", "5 min", "2 h", "4 d" */
const char *fh_age(uint64_t ms, char text[FH_UNIT_BYTES]);
/* "12.3 ms", "1.20 s": three digits and a unit */
const char *fh_duration(double ns, char text[FH_UNIT_BYTES]);
/* Of the whole, in percent; 0 for none */
double fh_percent(uint64_t part, uint64_t whole);

#endif
