/*
 * live.h - the blocks that are live at a point of a trace, by name: a hash table as large as the most of them at once.
 */
#ifndef FREEHOLD_TOOL_LIVE_H
#define FREEHOLD_TOOL_LIVE_H

#include <freehold_trace.h>
#include <stdbool.h>

struct fh_live_block {
    uint64_t key; /* 0: nothing here */
    uint64_t size;
    uint64_t born; /* the user's: when */
    uint64_t where; /* the user's */
    uint32_t slot;  /* the user's */
    uint32_t unused;
};

struct fh_live {
    struct fh_live_block *table;
    size_t capacity, count; /* capacity is a power of two */
    size_t bytes, peak_bytes, peak_count;
};

/* A new entry, all zero but for key and size; NULL without memory or when the block is there already. */
struct fh_live_block *fh_live_add(struct fh_live *live, struct fh_trace_id id, uint64_t size);
/* NULL if it is not there. Valid until the next call. */
struct fh_live_block *fh_live_find(const struct fh_live *live, struct fh_trace_id id);
void fh_live_remove(struct fh_live *live, struct fh_live_block *block);
void fh_live_clear(struct fh_live *live);

#endif
