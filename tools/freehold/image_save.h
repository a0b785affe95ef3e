/*
 * image_save.h - a snapshot being taken: shared by image_save.c and image_save_data.c.
 */
#ifndef FREEHOLD_TOOL_IMAGE_SAVE_H
#define FREEHOLD_TOOL_IMAGE_SAVE_H

#include "image_source.h"
#include "snapshot_write.h"

struct fh_save {
    struct fh_image *image;
    struct fh_snapshot_out out;
    uint64_t secret; /* that of the file, which is not the process's */
    uint64_t heap_bytes;
    struct fh_words heap_words, site_words;
    struct fh_save_pages {
        uint64_t start, count;
        unsigned char flags[FH_SNAPSHOT_PAGES_MOST / 4];
    } pages;
    uint64_t pages_done;  /* flags were saved up to here, in address order from `range_start` on */
    uint64_t range_start;
    struct fh_region segment; /* that the walk is in; 0 bytes for none */

    uint64_t sites_root;                 /* of the table of sites; 0 for none */
    uint64_t site_leaf, site_leaf_index; /* the leaf that is read, and which it is */
    uint32_t *site_entries;              /* a piece of it */
    uint64_t site_entries_at;
    uint64_t site_word, site_word_at; /* two entries; not put yet */
};

void fh_save_flush(struct fh_save *save, struct fh_words *words);
/* One word, or all of a copy of memory, as they are, but for those that are 0. */
void fh_save_word(struct fh_save *save, struct fh_words *words, uint64_t address, uint64_t word);
void fh_save_words(struct fh_save *save, struct fh_words *words, uint64_t address, const unsigned char *bytes,
                   size_t count);
/* All words of a range, and the flags of its pages. */
void fh_save_range(struct fh_save *save, struct fh_words *words, uint64_t start, uint64_t bytes);
void fh_save_pages_up_to(struct fh_save *save, uint64_t end);

/* The library's own data. */
void fh_save_statics(struct fh_save *save);
/* Which threads run the states. */
void fh_save_threads(struct fh_save *save);
/* The build ids of the files of code. */
void fh_save_builds(struct fh_save *save);
/* Where the live block at `address` was allocated, if that is known; in address order, mostly. */
void fh_save_begin_sites(struct fh_save *save);
void fh_save_site(struct fh_save *save, uint64_t address);
void fh_save_end_sites(struct fh_save *save);
/* A region of samples whose words are kept by fh_save_site alone. */
bool fh_save_is_site_leaf(const struct fh_region *region);

#endif
