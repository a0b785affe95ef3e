/*
 * holding.h - the call sites from which a program holds most: of every block where sites are kept, estimated where a
 * profile is.
 */
#ifndef FREEHOLD_TOOL_HOLDING_H
#define FREEHOLD_TOOL_HOLDING_H

#include "sites.h"

struct fh_holding {
    uint32_t stack;
    uint64_t live_bytes, live_blocks;
    uint64_t held_bytes; /* free ones that its blocks keep; 0 where it is estimated */
};

/* Those with most live bytes first, at most `most`; *count: how many. False when the process ended meanwhile or memory
 * ran out. */
bool fh_holding_find(struct fh_image *image, struct fh_sites *sites, struct fh_holding *list, size_t most,
                     size_t *count);

#endif
