/*
 * sites.h - which call stack a block came from, and when: of a program that was started with `freehold run --sites`,
 * read from outside (freehold_samples.h).
 */
#ifndef FREEHOLD_TOOL_SITES_H
#define FREEHOLD_TOOL_SITES_H

#include "image.h"

#include <freehold_samples.h>

struct fh_sites;

/* The tables of call stacks; NULL when the program keeps none, or without memory. */
struct fh_sites *fh_sites_open(struct fh_image *image);
void fh_sites_close(struct fh_sites *sites);

/* The root of the tables, as it was when they were opened. */
const struct fh_samples *fh_sites_root(const struct fh_sites *sites);
/* Bits of enum fh_samples_mode: FH_SAMPLES_SITES when the stack of every block is known. */
uint32_t fh_sites_mode(const struct fh_sites *sites);
/* Milliseconds from the zero of all times to when the image was opened or taken; 0: not known (a core file). */
uint64_t fh_sites_now_ms(const struct fh_sites *sites);

/* The stack that the live block came from, and when; 0 when that is not known. Fast for blocks in address order. */
uint32_t fh_sites_find(struct fh_sites *sites, uint64_t block, uint64_t *born_ms);

/* The frames of a stack, the caller of the allocation function first; how many. */
unsigned fh_sites_frames(struct fh_sites *sites, uint32_t stack, uint64_t frames[FH_SAMPLES_STACK_MOST],
                         bool *truncated);

/* The samples of a profile: of every stack what the program holds from there, as estimated. */
typedef void fh_sites_visit_fn(uint32_t stack, double objects, double bytes, void *arg);
void fh_sites_each_sample(struct fh_sites *sites, fh_sites_visit_fn *visit, void *arg);

/* Every stack that there is, with its sums, until `visit` returns false. False when it did, or when the tables cannot
 * be read. */
typedef bool fh_sites_stack_fn(const struct fh_stack *stack, void *arg);
bool fh_sites_each_stack(struct fh_sites *sites, fh_sites_stack_fn *visit, void *arg);

#endif
