/*
 * options.h - the values of the options, and where they come from.
 *
 * Layer: config. The values are set once, by the library's constructor, before the program runs (calls that come
 * earlier see the defaults), and later by mallopt(3) alone. Readers take them relaxed: an option is never a lock.
 */
#ifndef FH_OPTIONS_H
#define FH_OPTIONS_H

#include "base.h"

/* Where the mmap threshold starts; see fh_large_threshold. */
#define FH_MMAP_THRESHOLD_START (128 * FH_KIB)

struct fh_options {
#define FH_OPTION_FIELD_SIZE(field) size_t field;
#define FH_OPTION_FIELD_COUNT(field) size_t field;
#define FH_OPTION_FIELD_TEXT(field) const char *field;
#define FH_OPTION(field, name, kind, value, least, most, env, tunable, text) FH_OPTION_FIELD_##kind(field)
#include "options.def"
#undef FH_OPTION
};

extern struct fh_options fh_options;

/* Reads FREEHOLD_*, glibc's MALLOC_* and GLIBC_TUNABLES from the environment. What is unknown or malformed is reported
 * on standard error in one line each, and changes nothing. */
void fh_options_read(char *const *environment);

/* Sets one option by number, as mallopt(3) does; false when the value is outside the option's range. */
bool fh_options_set_size(size_t *option, size_t value);

#endif
