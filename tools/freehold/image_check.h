/*
 * image_check.h - the validators of the invariants, from outside: shared by the files image_check*.c.
 */
#ifndef FREEHOLD_TOOL_IMAGE_CHECK_H
#define FREEHOLD_TOOL_IMAGE_CHECK_H

#include "image_source.h"

enum { FH_CHECK_HEAPS_MOST = 256, FH_CHECK_TAG_BYTES = 8 };

/* The page map, in address order mostly. */
struct fh_check_pages {
    uint32_t *entries; /* a piece of a leaf */
    uint64_t entries_for, leaf_for, leaf;
};

struct fh_check {
    struct fh_image *image;
    fh_image_violation_fn *report;
    void *arg;
    uint64_t violations;
    bool out_of_memory;
    bool is_torn; /* after a fork, sums are not exact */
    struct fh_check_pages pages;

    struct fh_check_heap {
        uint64_t free_chunks, free_bytes, purged_bytes, used_chunks, used_bytes, slab_chunks, total_bytes;
        uint64_t top, mapped; /* as the heap says */
    } heaps[FH_CHECK_HEAPS_MOST];
    uint64_t heap_count;

    uint64_t segment_end; /* of the chunks of the segment that the walk is in; 0 for none */
    uint64_t segment_start;
    uint32_t heap;          /* its heap */
    bool is_growing;
    uint64_t expected;      /* where its next chunk begins */
    bool previous_in_use, previous_is_known, saw_top;

    struct { /* sums over the slabs that were seen */
        uint64_t bytes, carved, capacity, listed, cached_objects;
    } slabs;
    struct {
        uint64_t bits[FH_CLASSES_MOST / 64 + 1];
    } *empty_classes; /* of each owner, a bit for each class with an empty slab */
    uint64_t owner_end;
    struct { /* sums over large blocks and everything */
        uint64_t blocks, mapping_bytes, head_bytes, warm_blocks, warm_bytes, all_bytes;
    } large;

    struct fh_check_free { /* free chunks, in address order */
        uint64_t *places;  /* address >> 4, bin, heap */
        uint64_t *nexts;   /* the next one of its bin; bit 0: seen */
        size_t count, room;
        uint64_t *links; /* for each heap and bin: sum over the chunks' links back */
    } free;
};

void fh_check_violated(struct fh_check *check, const char *invariant, uint64_t address, const char *text);

/* P1 */
uint32_t fh_check_entry_at(struct fh_check *check, uint64_t address);
void fh_check_entries(struct fh_check *check, uint64_t start, uint64_t end, uint32_t entry);
void fh_check_whole_map(struct fh_check *check);

/* H4 */
bool fh_check_note_free(struct fh_check *check, uint64_t chunk, uint64_t bytes, uint32_t heap,
                        const unsigned char *words);
void fh_check_bins(struct fh_check *check);

/* S1, S3, A1: what threads keep, and the counters */
void fh_check_owners(struct fh_check *check);
void fh_check_account(struct fh_check *check);

#endif
