/*
 * samples.h - the tables behind profiles and sites: live chosen blocks, call stacks, and which block came from which.
 *
 * Layer: insight. What others read is laid out in freehold_samples.h. Nothing here takes a lock: entries are claimed by
 * compare-and-set, so a thread that is lost in a fork, or stopped for ever, holds nobody up.
 */
#ifndef FH_SAMPLES_H
#define FH_SAMPLES_H

#include "base.h"
#include "freehold_samples.h"

/* Makes the tables; false without memory. `mode` has bits of enum fh_samples_mode. */
bool fh_samples_init(uint32_t mode, uint64_t interval_bytes);

/* A table is a mapping of our own that is touched bit by bit; NULL without memory. Never given back. */
void *fh_samples_map(size_t bytes);
/* All of these mappings; for readers from outside (insight/root.c), too. */
struct fh_samples_mapping {
    char *start; /* atomic */
    size_t bytes;
};
extern FH_HIDDEN struct fh_samples_mapping fh_samples_mappings[];
extern FH_HIDDEN uint32_t fh_samples_mapping_count; /* atomic */
/* Bytes mapped for tables, and of them those in memory: for the account. */
void fh_samples_measure(size_t *mapped, size_t *resident);

/* A chosen block; false when there is no room. */
bool fh_samples_put(const struct fh_sample *sample);
/* Takes the sample of a block out, if there is one. */
bool fh_samples_take(const void *pointer, struct fh_sample *sample);
/* Every sample, while others may come and go. */
void fh_samples_each(void (*visit)(const struct fh_sample *sample, void *arg), void *arg);

/* `count` consecutive words of the arena, all zero, and the number of the first; 0 when it is full. */
uint32_t fh_words_take(unsigned count);
uint64_t *fh_words_at(uint32_t number);

/* The stack with these frames, found or made; 0 when there is no room. */
uint32_t fh_stack_find(const uint64_t *frames, unsigned depth, bool truncated);
struct fh_stack *fh_stack_at(uint32_t number);
void fh_stacks_each(void (*visit)(struct fh_stack *stack, void *arg), void *arg);

/* Notes that the block was allocated now, from this stack. */
void fh_site_note(const void *pointer, uint32_t stack);

#endif
