/*
 * trace_read.h - reading a trace (freehold_trace.h): every event, each death after its birth, in bounded memory.
 */
#ifndef FREEHOLD_TOOL_TRACE_READ_H
#define FREEHOLD_TOOL_TRACE_READ_H

#include <freehold_trace.h>
#include <stdbool.h>

enum { FH_TRACE_ERROR_BYTES = 256 };

/* A block whose thread waits for another one's. */
struct fh_trace_pending;

struct fh_trace_thread {
    uint64_t births; /* delivered so far */
    struct fh_trace_pending *pending, *last_pending;
};

struct fh_trace_reader {
    int fd;
    uint64_t file_bytes;
    struct fh_trace_header header;
    char command[FH_TRACE_COMMAND_MOST * 4 + 1]; /* in one line, for people; may be cut */
    bool is_complete;                            /* ended properly */
    uint64_t events_end;                         /* offset behind the last block of events, if complete */

    /* After fh_trace_read. */
    uint64_t blocks, events, last_time_ns;
    uint64_t unresolved; /* events that wait for what never came: the recording was cut off */
    bool is_cut;         /* the file ends within a block */
    char error[FH_TRACE_ERROR_BYTES];

    struct fh_trace_thread *threads;
    size_t thread_count, pending_bytes, pending_count;
    unsigned char *payload;
};

/* False, and reader->error says why. */
bool fh_trace_open(struct fh_trace_reader *reader, const char *path);
/* Whether the file begins as a trace does. */
bool fh_trace_is_trace(const char *path);
void fh_trace_close(struct fh_trace_reader *reader);

/* Called for each event with the thread's number; false stops the reading (fh_trace_read returns false then, and
 * leaves `error` alone). A birth comes before every event that refers to it; a reference to a birth that was lost is
 * delivered too. */
typedef bool fh_trace_visit_fn(void *arg, uint32_t thread, const struct fh_trace_event *event);
bool fh_trace_read(struct fh_trace_reader *reader, fh_trace_visit_fn *visit, void *arg);

#endif
