/*
 * large.h - blocks with a mapping of their own (W2, W3).
 *
 * Layer: large. No locks: a mapping belongs to whoever holds the block. Two sealed words stand in front of the user's
 * pointer; the page map marks the page of the pointer, which is how blocks are found again for walks.
 *
 *     | ... alignment ... | offset of pointer from start | size of mapping | user's bytes ... to the end |
 */
#ifndef FH_LARGE_H
#define FH_LARGE_H

#include "base.h"

enum { FH_LARGE_HEAD_BYTES = 16 };

struct fh_large_counts {  /* atomic */
    size_t blocks;        /* held by the program */
    size_t mapping_bytes; /* of their mappings, whole */
    size_t head_bytes;    /* of mapping_bytes: in front of the pointers */
    size_t warm_blocks;   /* freed mappings kept for the next request */
    size_t warm_bytes;
};
extern struct fh_large_counts fh_large_counts;

/*
 * From which request size on a block gets a mapping of its own: the option's value, 128 KiB, to start with. It rises
 * when mappings are freed and asked for again at a rate, to above their size, so that such blocks come from the heap,
 * whose memory stays; it falls again when the heap gives back what then nobody wants. A threshold that the user has set
 * stays.
 */
size_t fh_large_threshold(void);
/* The heap has trimmed twice in a row without growing: what the raised threshold keeps is not wanted. */
void fh_large_lower_threshold(void);

/* NULL when the kernel refuses, or the mappings allowed (option mmap_max) are used up. Always zeroed unless `zeroed`
 * says otherwise. */
void *fh_large_alloc(size_t request_bytes, size_t alignment, bool *zeroed);
/* The same when no heap can give memory: the mappings allowed do not count. */
void *fh_large_alloc_last_resort(size_t request_bytes, size_t alignment, bool *zeroed);
void fh_large_free(void *pointer);
size_t fh_large_usable(void *pointer);
/* Resizes, moving pages instead of bytes; NULL when refused, and the block is as before. */
void *fh_large_resize(void *pointer, size_t request_bytes);
/* True when the two words in front of the pointer are what we wrote there. */
bool fh_large_is_sound(const void *pointer);
/* The block whose pointer lies in the page, given the page's entry; NULL when its head is damaged. */
void *fh_large_in_page(uintptr_t page, uint32_t entry);
/* Mappings freed so far, kept ones too, modulo 2^32: as long as it stays the same, nobody has used a kept one. */
uint32_t fh_large_frees(void);
/* Unmaps what is kept warm; true if anything was. */
bool fh_large_purge(void);

#endif
