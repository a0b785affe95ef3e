/*
 * freehold_trace.h - the format of the files that `freehold record` writes, and the decoder of their events.
 *
 * freehold-trace(5) explains it. All numbers are little-endian. A file is
 *
 *     header | command | block | block | ... | index block | trailer
 *
 * where index and trailer are absent when the process was killed or the disk was full; what is whole can be used.
 * The functions here are inline and need nothing but <stdint.h> and <string.h>. None reads outside what it is given.
 */
#ifndef FREEHOLD_TRACE_H
#define FREEHOLD_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FH_TRACE_MAGIC "FHTRACE" /* with its 0: 8 bytes */
#define FH_TRACE_END_MAGIC "FHTREND"
#define FH_TRACE_BLOCK_MAGIC 0x42544846u /* "FHTB" */
#define FH_TRACE_BYTE_ORDER 0x01020304u

enum {
    FH_TRACE_VERSION = 1,
    FH_TRACE_COMMAND_MOST = 4096,    /* bytes of the command line that are kept */
    FH_TRACE_PAYLOAD_MOST = 1 << 20, /* bytes of events in a block */
    FH_TRACE_EVENT_MOST = 64,        /* bytes of one event */
    FH_TRACE_THREADS_MOST = 1 << 20  /* threads in a trace, over its whole length */
};

/* At offset 0. command_bytes follow: /proc/PID/cmdline, each word ended by a 0; then zeros up to header_bytes. */
struct fh_trace_header {
    char magic[8];          /* FH_TRACE_MAGIC */
    uint32_t version;       /* FH_TRACE_VERSION */
    uint32_t byte_order;    /* FH_TRACE_BYTE_ORDER */
    uint32_t header_bytes;  /* offset of the first block, a multiple of 8 */
    uint32_t command_bytes; /* at most FH_TRACE_COMMAND_MOST */
    uint32_t page_bytes;    /* the unit of FH_TRACE_TOUCHED */
    uint32_t pid;
    uint64_t started_ns; /* since 1970 */
    uint64_t checksum;   /* of the header up to here, continued over the command */
};

/* Followed by payload_bytes of payload. */
struct fh_trace_block {
    uint32_t magic; /* FH_TRACE_BLOCK_MAGIC */
    uint32_t kind;  /* enum fh_trace_block_kind */
    uint32_t payload_bytes;
    uint32_t thread;      /* whose events these are */
    uint64_t events;      /* in this block */
    uint64_t first_event; /* events in all blocks before */
    uint64_t births;      /* blocks that the thread had allocated before */
    uint64_t last_freed;  /* number of the block of its own that the thread freed last, 0 at first */
    uint64_t time_ns;     /* since the start of the recording, when the block was written */
    uint64_t checksum;    /* of the fields above, continued over the payload */
};
enum fh_trace_block_kind { FH_TRACE_EVENTS = 1, FH_TRACE_INDEX = 2 };

/* The payload of the index block: one for each block, or every 2nd, 4th ... of a long trace, in order. */
struct fh_trace_index_entry {
    uint64_t offset; /* of a block */
    uint64_t first_event;
    uint64_t time_ns;
};

/* The last 32 bytes of a file that was ended properly. */
struct fh_trace_trailer {
    uint64_t index_offset;
    uint64_t events;   /* in the file */
    uint64_t checksum; /* of the fields above */
    char magic[8];     /* FH_TRACE_END_MAGIC */
};

/* 64 bits over `length` bytes, 8 at a time, the last ones filled up with zeros and their number. A change within one
 * such word is always found. */
#define FH_TRACE_CHECKSUM_START 0x9e3779b97f4a7c15ull
static inline uint64_t fh_trace_checksum(uint64_t sum, const void *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    uint64_t word;
    for (; length >= 8; at += 8, length -= 8) {
        memcpy(&word, at, 8);
        sum = (sum ^ word) * 0xff51afd7ed558ccdull;
        sum ^= sum >> 32;
    }
    word = (uint64_t)length << 56;
    memcpy(&word, at, length);
    sum = (sum ^ word) * 0xff51afd7ed558ccdull;
    return sum ^ sum >> 32;
}

/* Events. A block of memory has for its name the thread that allocated it and a number: 1 for the thread's first. */
enum fh_trace_kind {
    FH_TRACE_MALLOC = 1, /* id is born; size */
    FH_TRACE_CALLOC,     /* the same, zeroed */
    FH_TRACE_ALIGNED,    /* the same, to a multiple of 1 << align_log2 */
    FH_TRACE_REALLOC,    /* old becomes id; size */
    FH_TRACE_FREE,       /* old dies */
    FH_TRACE_TOUCHED,    /* of old, `size` pages were in memory when last looked at */
    FH_TRACE_USABLE,     /* malloc_usable_size of old */
    FH_TRACE_FAILED,     /* a request for size bytes was refused */
    FH_TRACE_FOREIGN,    /* free or realloc of a block whose birth is not in the trace */
    FH_TRACE_TRIM,       /* malloc_trim */
    FH_TRACE_THREAD_END  /* the thread's last event */
};

struct fh_trace_id {
    uint64_t number; /* from 1 */
    uint32_t thread;
};

struct fh_trace_event {
    enum fh_trace_kind kind;
    uint32_t align_log2;
    struct fh_trace_id id;  /* of what is born */
    struct fh_trace_id old; /* of what is freed, reallocated or looked at */
    uint64_t size;
};

/*
 * An event's first byte: 3 bits of code, 1 bit "more follows", the low 4 bits of its value. More of the value follows
 * as LEB128: 7 bits a byte, low ones first, the top bit set in all but the last.
 */
enum fh_trace_code {
    FH_TRACE_CODE_MALLOC = 0,      /* value: size */
    FH_TRACE_CODE_FREE_RECENT = 1, /* value: births of this thread so far - number; a block of this thread's */
    FH_TRACE_CODE_FREE_NEAR = 2,   /* value: zigzag(number - number of the last one freed); of this thread's */
    FH_TRACE_CODE_FREE_OTHER = 3,  /* value: thread; then LEB128 number */
    FH_TRACE_CODE_REALLOC = 4,     /* value: size; then a reference */
    FH_TRACE_CODE_CALLOC = 5,      /* value: size */
    FH_TRACE_CODE_ALIGNED = 6,     /* value: size; then a byte, align_log2 */
    FH_TRACE_CODE_OTHER = 7        /* value: enum fh_trace_other */
};
/* A reference: LEB128 of 0 and then LEB128 births - number, or LEB128 of 1 + thread and then LEB128 number. */
enum fh_trace_other {
    FH_TRACE_OTHER_END = 0,
    FH_TRACE_OTHER_TOUCHED = 1, /* a reference, LEB128 pages */
    FH_TRACE_OTHER_USABLE = 2,  /* a reference */
    FH_TRACE_OTHER_FAILED = 3,  /* LEB128 size */
    FH_TRACE_OTHER_FOREIGN = 4,
    FH_TRACE_OTHER_TRIM = 5
};

/* Where a decoder is in the events of one block. */
struct fh_trace_cursor {
    const unsigned char *at, *end;
    uint64_t births, last_freed;
    uint32_t thread;
};

static inline int fh_trace_leb(struct fh_trace_cursor *cursor, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end) return 0;
        unsigned char byte = *cursor->at++;
        if (shift == 63 && byte > 1) return 0;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = result;
            return 1;
        }
    }
    return 0;
}

static inline int fh_trace_reference(struct fh_trace_cursor *cursor, struct fh_trace_id *id)
{
    uint64_t who, number;
    if (!fh_trace_leb(cursor, &who) || !fh_trace_leb(cursor, &number)) return 0;
    if (who == 0) {
        id->thread = cursor->thread;
        id->number = cursor->births - number; /* wraps for nonsense, which is found below */
        return number < cursor->births;
    }
    if (who > FH_TRACE_THREADS_MOST || number == 0) return 0;
    id->thread = (uint32_t)(who - 1);
    id->number = number;
    return id->thread != cursor->thread || number <= cursor->births;
}

static inline void fh_trace_birth(struct fh_trace_cursor *cursor, struct fh_trace_event *event, enum fh_trace_kind kind,
                                  uint64_t size)
{
    event->kind = kind;
    event->size = size;
    event->id.thread = cursor->thread;
    event->id.number = ++cursor->births;
}

static inline int fh_trace_next_other(struct fh_trace_cursor *cursor, struct fh_trace_event *event, uint64_t what)
{
    event->size = 0;
    switch (what) {
    case FH_TRACE_OTHER_END: event->kind = FH_TRACE_THREAD_END; return 1;
    case FH_TRACE_OTHER_TOUCHED:
        event->kind = FH_TRACE_TOUCHED;
        return fh_trace_reference(cursor, &event->old) && fh_trace_leb(cursor, &event->size) ? 1 : -1;
    case FH_TRACE_OTHER_USABLE: event->kind = FH_TRACE_USABLE; return fh_trace_reference(cursor, &event->old) ? 1 : -1;
    case FH_TRACE_OTHER_FAILED: event->kind = FH_TRACE_FAILED; return fh_trace_leb(cursor, &event->size) ? 1 : -1;
    case FH_TRACE_OTHER_FOREIGN: event->kind = FH_TRACE_FOREIGN; return 1;
    case FH_TRACE_OTHER_TRIM: event->kind = FH_TRACE_TRIM; return 1;
    default: return -1;
    }
}

static inline int fh_trace_next_free(struct fh_trace_cursor *cursor, struct fh_trace_event *event, unsigned code,
                                     uint64_t value)
{
    event->kind = FH_TRACE_FREE;
    event->old.thread = cursor->thread;
    if (code == FH_TRACE_CODE_FREE_OTHER) {
        event->old.thread = (uint32_t)value;
        return value < FH_TRACE_THREADS_MOST && value != cursor->thread && fh_trace_leb(cursor, &event->old.number) &&
                       event->old.number > 0
                   ? 1
                   : -1;
    }
    if (code == FH_TRACE_CODE_FREE_RECENT) event->old.number = cursor->births - value;
    else event->old.number = cursor->last_freed + (value >> 1 ^ (0 - (value & 1)));
    if (event->old.number == 0 || event->old.number > cursor->births) return -1;
    cursor->last_freed = event->old.number;
    return 1;
}

/* The next event: 1; 0 at the end of the block; -1 when the bytes are none. */
static inline int fh_trace_next(struct fh_trace_cursor *cursor, struct fh_trace_event *event)
{
    if (cursor->at == cursor->end) return 0;
    unsigned char first = *cursor->at++;
    uint64_t value = first >> 4, more;
    unsigned code = first & 7;
    if (first & 8) {
        if (!fh_trace_leb(cursor, &more) || more >> 60) return -1;
        value |= more << 4;
    }
    switch (code) {
    case FH_TRACE_CODE_MALLOC: fh_trace_birth(cursor, event, FH_TRACE_MALLOC, value); return 1;
    case FH_TRACE_CODE_CALLOC: fh_trace_birth(cursor, event, FH_TRACE_CALLOC, value); return 1;
    case FH_TRACE_CODE_ALIGNED:
        fh_trace_birth(cursor, event, FH_TRACE_ALIGNED, value);
        if (cursor->at == cursor->end || *cursor->at > 62) return -1;
        event->align_log2 = *cursor->at++;
        return 1;
    case FH_TRACE_CODE_REALLOC:
        if (!fh_trace_reference(cursor, &event->old)) return -1;
        fh_trace_birth(cursor, event, FH_TRACE_REALLOC, value);
        return 1;
    case FH_TRACE_CODE_OTHER: return fh_trace_next_other(cursor, event, value);
    default: return fh_trace_next_free(cursor, event, code, value);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* FREEHOLD_TRACE_H */
