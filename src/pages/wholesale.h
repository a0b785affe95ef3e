/*
 * wholesale.h - buying from the kernel and selling back: the break and mappings, with the ledger of both.
 *
 * Layer: pages. Everything that Freehold holds of the kernel went through here, so obtained - returned is what it
 * holds now, to the byte (invariant A1).
 */
#ifndef FH_WHOLESALE_H
#define FH_WHOLESALE_H

#include "base.h"

struct fh_wholesale {
    size_t obtained_bytes; /* since the start, by brk and mmap */
    size_t returned_bytes; /* since the start, by brk and munmap */
    size_t pagemap_bytes;  /* of what is held: leaves of the page map */
    size_t state_bytes;    /* of what is held: thread states */
    size_t stranded_bytes; /* of what is held: what the kernel refused to take back; of no use any more */
    size_t mappings;       /* now */
    size_t table_bytes;    /* of what is held: tables of a profile */
    size_t obtain_calls;   /* system calls, since the start, that brought memory */
    size_t return_calls;   /* system calls, since the start, that gave addresses back */
};

/* Fields are atomic counters. */
extern struct fh_wholesale fh_wholesale;

/* Whether one more mapping is within our share of those that a process may have (vm.max_map_count). What can do without
 * asks first. */
bool fh_wholesale_has_mappings_left(void);
/* W2. Zeroed memory, a multiple of the page size; NULL when refused. */
void *fh_wholesale_map(size_t size);
/* The same with an address that is a multiple of `alignment`, a power of two. */
void *fh_wholesale_map_aligned(size_t size, size_t alignment);
/* False when the kernel refuses (then the memory is still ours and mapped). */
bool fh_wholesale_unmap(void *address, size_t size);
/* Unmaps an end of a mapping that stays; false when refused. */
bool fh_wholesale_cut(void *address, size_t size);
/* Gives a mapping up for good: unmaps it, or, refused, gives back its pages and counts the addresses as stranded. */
void fh_wholesale_discard(void *address, size_t size);
/* The same for what the library needs for itself, which no limit forbids and which does not count (limit.h). */
void *fh_wholesale_map_own(size_t size);
void fh_wholesale_discard_own(void *address, size_t size);
/* Resizes a mapping where it is; false when it can't stay there. */
bool fh_wholesale_remap(void *address, size_t old_size, size_t new_size);
/* Moves the pages of a mapping onto another of ours, which they replace; false when refused and nothing has changed. */
bool fh_wholesale_move(void *address, size_t old_size, void *target, size_t new_size);

/*
 * W1. Moves the break up by `size`. Returns the start of the new memory: `expected` when it continues what the caller
 * has; another, page-aligned address when somebody else has moved the break meanwhile; NULL when the break is refused.
 */
char *fh_wholesale_break_up(char *expected, size_t size);
/* W4. Moves the break from `end` down to `to`; false when it is not at `end` or the kernel refuses. */
bool fh_wholesale_break_down(char *end, char *to);
/* The same for memory that is of no use: refused, it is stranded. */
void fh_wholesale_break_discard(char *end, char *to);

#endif
