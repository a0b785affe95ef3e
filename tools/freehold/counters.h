/*
 * counters.h - what `freehold metrics` and `freehold stats` share: reading the counters of a process or file.
 */
#ifndef FREEHOLD_TOOL_COUNTERS_H
#define FREEHOLD_TOOL_COUNTERS_H

#include "image.h"

struct fh_counters_read {
    struct fh_image_about about;
    struct fh_image_counters counters;
};

/* `word` is a process id or a file. 0, or an exit status when the reason has been printed. */
int fh_counters_read(const char *verb, const char *word, struct fh_counters_read *read);

#endif
