/*
 * stream.h - what the recorder knows of each thread: its events that are not in the file yet.
 *
 * Layer: record, which only libfreehold-record.so has: the library itself under other names, with entry points in front
 * that note every call. The library proper knows nothing of it, so that what is off costs nothing.
 */
#ifndef FH_STREAM_H
#define FH_STREAM_H

#include "atomics.h"
#include "base.h"
#include "freehold_trace.h"

enum {
    FH_STREAM_BYTES = 64 * 1024,
    FH_STREAM_FIRST_BYTES = 4 * 1024 /* the first part is written early, so that a killed process leaves something */
};

/* How far a stream is. */
struct fh_stream_mark {
    size_t bytes; /* into its buffer */
    uint64_t events, births, last_freed;
};

/*
 * The thread appends and publishes; whoever holds the file's lock writes what is published and not written, the
 * streams of other threads included: a block that one thread frees was allocated in a part of its owner's stream that
 * is in the file by then, or will be with the next part of the owner's.
 *
 *     buffer |  written  |  published, not written  |  being made  |  room  |
 *            0           written.bytes              published      now.bytes
 */
struct fh_stream {
    struct fh_stream_mark now; /* the thread's own */
    size_t limit_bytes;        /* the buffer is full from here on; the thread's own */
    uint64_t thread;           /* its number */
    uint32_t busy;             /* within an event: a signal handler that allocates must keep out */
    uint32_t published;        /* atomic: bytes */
    uint32_t in_use;           /* a thread has it; under the lock */

    /* Under the lock. */
    FH_ALIGNED(FH_CACHE_LINE) struct fh_stream_mark written;
    struct fh_stream *next;
    unsigned char buffer[FH_STREAM_BYTES];
};

/* Ranks of the recorder's locks, above all of the library's (lock.h). */
enum { FH_RECORD_RANK_FILE = 100, FH_RECORD_RANK_TOUCHED = 101 };

/* --- Events, as bytes; `at` has room for FH_TRACE_EVENT_MOST --- */

FH_INLINE unsigned char *fh_event_leb(unsigned char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) *at++ = (unsigned char)(value | 0x80);
    *at++ = (unsigned char)value;
    return at;
}

FH_INLINE unsigned char *fh_event_head(unsigned char *at, enum fh_trace_code code, uint64_t value)
{
    if (value < 16) {
        *at++ = (unsigned char)(code | value << 4);
        return at;
    }
    *at++ = (unsigned char)(code | 8 | value << 4);
    return fh_event_leb(at, value >> 4);
}

/* --- trace.c: which calls are recorded, and where to --- */

/* The calling thread's stream, if it has one and records. */
extern FH_HIDDEN __thread struct fh_stream *fh_stream_mine;

/* The stream for an event of a thread that has none or is within an event: made for it, or the one of strays, which is
 * returned locked. NULL when nothing is recorded. */
struct fh_stream *fh_trace_enter_slowly(void);
void fh_trace_leave_slowly(struct fh_stream *stream);
/* The buffer is full. */
void fh_trace_make_room(struct fh_stream *stream);
/* Writes everything, then index and trailer; nothing is recorded after that. Only the first call does anything. */
void fh_trace_finish(void);

/* --- shadow.c: which block is at an address --- */

/*
 * The name of a block as one number: from the top 20 bits thread, 1 bit "large", 43 bits number. 0: none.
 */
#define FH_SHADOW_NUMBER_BITS 43
#define FH_SHADOW_LARGE ((uint64_t)1 << FH_SHADOW_NUMBER_BITS)
#define FH_SHADOW_NUMBERS (FH_SHADOW_LARGE - 1)
#define FH_SHADOW_THREAD_SHIFT 44

enum { FH_SHADOW_LEAF_SHIFT = 26, FH_SHADOW_ADDRESS_BITS = 48, FH_SHADOW_UNIT_SHIFT = 4 };
#define FH_SHADOW_LEAVES ((size_t)1 << (FH_SHADOW_ADDRESS_BITS - FH_SHADOW_LEAF_SHIFT))
#define FH_SHADOW_LEAF_WORDS ((size_t)1 << (FH_SHADOW_LEAF_SHIFT - FH_SHADOW_UNIT_SHIFT))

/* A word for each 16 bytes of address space, in leaves for 64 MiB, made when first needed. Atomic. */
extern FH_HIDDEN uint64_t *fh_shadow_leaves[FH_SHADOW_LEAVES];

/* The word for an address, NULL if there is none. */
FH_INLINE uint64_t *fh_shadow_at(const void *pointer)
{
    size_t leaf_number = (uintptr_t)pointer >> FH_SHADOW_LEAF_SHIFT;
    if (FH_UNLIKELY(leaf_number >= FH_SHADOW_LEAVES)) return NULL;
    uint64_t *leaf = fh_load_acquire(&fh_shadow_leaves[leaf_number]);
    if (FH_UNLIKELY(!leaf)) return NULL;
    return leaf + ((uintptr_t)pointer >> FH_SHADOW_UNIT_SHIFT & (FH_SHADOW_LEAF_WORDS - 1));
}
/* Makes the leaf; NULL without memory. */
uint64_t *fh_shadow_make(const void *pointer);
/* In a forked child that records anew: no block has a name any more. */
void fh_shadow_forget(void);

/* --- touched.c: how much of a large block is in memory --- */

enum { FH_TOUCHED_FROM_BYTES = 128 * 1024 };

void fh_touched_add(void *pointer, size_t size_bytes, uint64_t id);
/* Pages of the block that are in memory, and forgets it; SIZE_MAX if it is not known. */
size_t fh_touched_remove(void *pointer);
/* Calls `note` for some of the blocks, others each time; for all when `all`. */
void fh_touched_sample(bool all, void (*note)(void *arg, uint64_t id, size_t pages), void *arg);
void fh_touched_forget(void);

/* --- file.c: the file; all under its lock --- */

/* Creates the file, and writes its header. False after a message. */
bool fh_trace_file_create(const char *path);
bool fh_trace_file_is_open(void);
/* Between these, signals are blocked. A group is written whole or not at all. */
void fh_trace_file_begin(void);
void fh_trace_file_block(struct fh_trace_block *block, const void *payload);
/* False after a message: the disk is full, or the like; the file then ends with the group before. */
bool fh_trace_file_end(void);
void fh_trace_file_finish(void);
uint64_t fh_trace_file_events(void);
/* In a forked child: the file is the parent's. */
void fh_trace_file_abandon(void);
/* The value of FREEHOLD_RECORD, from the kernel: libc may not have an environment yet. False if there is none. */
bool fh_trace_file_setting(char *out, size_t size);

#endif
