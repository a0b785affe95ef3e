/*
 * who.h - what `freehold who` finds out about an address; shared by who*.c and verb_who.c.
 */
#ifndef FREEHOLD_TOOL_WHO_H
#define FREEHOLD_TOOL_WHO_H

#include "image.h"

enum fh_who_is {
    FH_WHO_OBJECT,      /* of a slab */
    FH_WHO_CHUNK,       /* a block of a heap, or a free chunk */
    FH_WHO_TOP,         /* the end of a heap */
    FH_WHO_LARGE,       /* a block with a mapping of its own */
    FH_WHO_SLAB_REST,   /* of a slab: its head, gaps, what was never handed out */
    FH_WHO_SEGMENT,     /* of a heap's segment: its record, or its fence */
    FH_WHO_DAMAGED,     /* in a heap, where the chunks do not tile it */
    FH_WHO_PAGEMAP,
    FH_WHO_STATES,
    FH_WHO_SAMPLES,
    FH_WHO_FOREIGN,     /* in a mapping that is not the library's */
    FH_WHO_NOTHING      /* nothing is mapped there */
};
extern const char *const fh_who_names[]; /* as in JSON */

struct fh_who_block {
    uint64_t start, bytes; /* usable ones of a block; 0 bytes: there is none */
    enum fh_block_is is;
    bool is_slab; /* a whole slab, as a neighbour of a chunk */
};

struct fh_who {
    uint64_t address;
    enum fh_who_is is;
    struct fh_who_block block, below, above;
    const struct fh_image_vma *vma; /* that it lies in; NULL for none */
    uint32_t heap;                  /* UINT32_MAX for none */
    struct fh_image_slab slab;      /* of an object, and of the rest of a slab */
    uint64_t segment_start, segment_bytes;

    /* Of a live block: what is on its pages, in bytes, and what lies above it in its segment. */
    uint64_t pages_bytes, pages_live, pages_free, pages_cached, pages_others;
    uint64_t live_above;
    uint64_t free_below; /* without a live block in between */
    bool is_growing;     /* its segment ends in top: the break can move down, or the mapping shrink */

    /* While the walk is on. */
    struct fh_who_block last;
    uint64_t free_run, page_from, page_to;
    bool found, wants_above;
};

/* False when the process ended meanwhile, or memory ran out. */
bool fh_who_find(struct fh_image *image, uint64_t address, struct fh_who *who);

void fh_who_print(struct fh_image *image, const struct fh_who *who);
void fh_who_print_json(struct fh_image *image, const struct fh_who *who);

#endif
