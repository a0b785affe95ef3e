/*
 * diff.h - what changed between two images of heaps; shared by diff*.c and verb_diff.c.
 */
#ifndef FREEHOLD_TOOL_DIFF_H
#define FREEHOLD_TOOL_DIFF_H

#include "image.h"
#include "sites.h"

enum { FH_BEFORE, FH_AFTER, FH_SIDES };

struct fh_diff_site { /* what the program holds from one call stack */
    uint64_t key;              /* of its frames, as places in files */
    uint32_t stack[FH_SIDES];  /* 0: not there */
    double blocks[FH_SIDES], bytes[FH_SIDES];
};

struct fh_diff {
    struct fh_image *image[FH_SIDES];
    struct fh_image_account account[FH_SIDES];
    uint64_t rss_bytes[FH_SIDES]; /* of the process */
    struct fh_sites *sites[FH_SIDES];
    bool has_sites;               /* both know them */
    bool is_estimated;            /* from a sample */
    struct fh_diff_site *site;    /* the largest change first */
    size_t site_count, site_room;
};

/* `image` is filled in. False when a process ended meanwhile, or memory ran out. fh_diff_free is due in any case. */
bool fh_diff_make(struct fh_diff *diff);
void fh_diff_free(struct fh_diff *diff);

/* Which pages are in memory is known of both. */
bool fh_diff_knows_pages(const struct fh_diff *diff);
/* What grew, and what went back to the kernel: some sentences. */
enum { FH_DIFF_WORDS_BYTES = 768 };
void fh_diff_words(const struct fh_diff *diff, char words[FH_DIFF_WORDS_BYTES]);

void fh_diff_print(const struct fh_diff *diff);
void fh_diff_print_json(const struct fh_diff *diff);

#endif
