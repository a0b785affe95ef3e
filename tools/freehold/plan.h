/*
 * plan.h - a trace made ready to be replayed: what `freehold replay` hands to the program that replays it.
 *
 * Each thread's calls, in chunks of its own; blocks have become slots of one table, which are used again; and where the
 * order across threads matters there is an explicit wait. A scratch file of the machine that made it, in no lasting
 * format.
 */
#ifndef FREEHOLD_TOOL_PLAN_H
#define FREEHOLD_TOOL_PLAN_H

#include <stdint.h>

#define FH_PLAN_MAGIC 0x314e414c50484646ull

enum { FH_PLAN_CHUNK_OPS = 1024 };

enum fh_plan_kind {
    FH_PLAN_MALLOC = 1, /* slot = malloc(size), then touch */
    FH_PLAN_CALLOC,
    FH_PLAN_ALIGNED, /* 1 << align_log2 */
    FH_PLAN_REALLOC, /* slot = realloc(slot, size), then touch */
    FH_PLAN_FREE,
    FH_PLAN_USABLE,
    FH_PLAN_TRIM,
    FH_PLAN_WAIT,  /* until thread `slot` has done `size` operations */
    FH_PLAN_SPAWN, /* thread `slot` begins */
    FH_PLAN_END
};

#define FH_PLAN_TOUCH_ALL UINT32_MAX

struct fh_plan_op {
    uint64_t size : 48;
    uint64_t kind : 8;
    uint64_t align_log2 : 8;
    uint32_t slot;
    uint32_t touch; /* pages to write to, FH_PLAN_TOUCH_ALL for all */
};

/* Chunks of one thread are a chain. */
struct fh_plan_chunk {
    uint64_t next; /* number of the thread's next chunk, 0 for none */
    uint32_t thread;
    uint32_t ops;
    struct fh_plan_op op[FH_PLAN_CHUNK_OPS];
};

/* At the beginning of the file; chunk n is at sizeof(header) + (n - 1) * sizeof(chunk), and the table of threads, the
 * number of the first chunk of each, at threads_offset. */
struct fh_plan_header {
    uint64_t magic;
    uint64_t threads, threads_at_once; /* all, and the most at a time */
    uint64_t slots;
    uint64_t ops, calls; /* all operations; of these, calls of the allocator */
    uint64_t peak_live_bytes;
    uint64_t page_bytes; /* the unit of touch */
    uint64_t threads_offset;
};

_Static_assert(sizeof(struct fh_plan_op) == 16, "an operation is 16 bytes");

#endif
