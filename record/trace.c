/*
 * trace.c - which calls are recorded: the streams of all threads, when they begin, end, and are written.
 *
 * Layer: record. FREEHOLD_RECORD says what is wanted: "PID:FILE" records the process of that number, "PID+:FILE" also
 * every other that inherits the variable, into FILE.PID of its own. Without the variable nothing is recorded.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <unistd.h>

#include "lock.h"
#include "os.h"
#include "stream.h"
#include "syscalls.h"

enum { UNDECIDED = 0, RECORDING, OFF };

FH_HIDDEN __thread struct fh_stream *fh_stream_mine;
static __thread bool has_ended; /* this thread's stream is closed: what still comes is for the strays' */

static struct fh_lock lock = {.rank = FH_RECORD_RANK_FILE};
static uint32_t mode;                      /* atomic: one of the above; changes under the lock */
static struct fh_stream *streams, *strays; /* all that were ever made; that of calls which have no other */
static uint64_t threads;                   /* numbers given out */
static int recorded_pid;
static bool follows_children;
static pthread_key_t end_key;
static bool end_key_is_made;
static char setting[4096 + 32], path[4096 + 32];

/* --- Writing. Under the lock. --- */

/* How far the part between what is written and `bytes` brings the thread: read back from its events, since only the
 * thread itself knows, and it is somewhere else by now. */
static struct fh_stream_mark mark_at(const struct fh_stream *stream, size_t bytes)
{
    struct fh_stream_mark mark = stream->written;
    struct fh_trace_cursor cursor = {.at = stream->buffer + mark.bytes,
                                     .end = stream->buffer + bytes,
                                     .births = mark.births,
                                     .last_freed = mark.last_freed,
                                     .thread = (uint32_t)stream->thread};
    struct fh_trace_event event;
    while (fh_trace_next(&cursor, &event) > 0) mark.events++;
    mark.births = cursor.births;
    mark.last_freed = cursor.last_freed;
    mark.bytes = bytes;
    return mark;
}

static void write_stream(struct fh_stream *stream, const struct fh_stream_mark *until)
{
    if (until->bytes == stream->written.bytes) return;
    struct fh_trace_block block = {.kind = FH_TRACE_EVENTS,
                                   .payload_bytes = (uint32_t)(until->bytes - stream->written.bytes),
                                   .thread = (uint32_t)stream->thread,
                                   .events = until->events - stream->written.events,
                                   .births = stream->written.births,
                                   .last_freed = stream->written.last_freed};
    fh_trace_file_block(&block, stream->buffer + stream->written.bytes);
    stream->written = *until;
}

/* Everything that is published, as one group; of the caller's own stream everything that it has. */
static void write_all(const struct fh_stream *own)
{
    fh_trace_file_begin();
    for (struct fh_stream *stream = streams; stream; stream = stream->next) {
        size_t published = fh_load_acquire(&stream->published);
        if (stream == own || stream == strays) {
            struct fh_stream_mark until = stream->now;
            write_stream(stream, &until);
        } else if (published > stream->written.bytes) {
            struct fh_stream_mark until = mark_at(stream, published);
            write_stream(stream, &until);
        }
    }
    if (!fh_trace_file_end()) fh_store_relaxed(&mode, OFF);
}

static void rewind_stream(struct fh_stream *stream)
{
    fh_store_relaxed(&stream->published, 0);
    stream->now.bytes = 0;
    stream->written = stream->now;
    stream->limit_bytes = FH_STREAM_BYTES - FH_TRACE_EVENT_MOST;
}

/* --- Events that the recorder makes itself --- */

static void put_reference(struct fh_stream *stream, uint64_t id)
{
    unsigned char *at = fh_event_leb(stream->buffer + stream->now.bytes, 1 + (id >> FH_SHADOW_THREAD_SHIFT));
    at = fh_event_leb(at, id & FH_SHADOW_NUMBERS);
    stream->now.bytes = (size_t)(at - stream->buffer);
}

static void note_touched(void *arg, uint64_t id, size_t pages)
{
    struct fh_stream *stream = arg;
    if (stream->now.bytes > FH_STREAM_BYTES - FH_TRACE_EVENT_MOST) write_all(stream), rewind_stream(stream);
    unsigned char *at = fh_event_head(stream->buffer + stream->now.bytes, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_TOUCHED);
    stream->now.bytes = (size_t)(at - stream->buffer);
    put_reference(stream, id);
    at = fh_event_leb(stream->buffer + stream->now.bytes, pages);
    stream->now.bytes = (size_t)(at - stream->buffer);
    stream->now.events++;
    fh_store_release(&stream->published, (uint32_t)stream->now.bytes);
}

/* --- The beginning and end of a recording --- */

/* The setting, taken apart: whether this process is to be recorded, and where to. */
static bool is_wanted(void)
{
    if (fh_os_is_secure() || !fh_trace_file_setting(setting, sizeof setting - 32)) return false;
    const char *at = setting;
    long pid = 0;
    for (; *at >= '0' && *at <= '9'; at++) pid = pid * 10 + (*at - '0');
    follows_children = *at == '+';
    at += follows_children;
    recorded_pid = fh_os_pid();
    if (*at++ != ':' || (pid != recorded_pid && !follows_children)) return false;
    size_t length = 0;
    for (; *at; at++) path[length++] = *at;
    path[length] = 0;
    return true;
}

/* FILE, or FILE.PID for a process that is not the one which was started. */
static bool create_file(bool is_child)
{
    size_t length = 0, digits = 0;
    char text[sizeof path], reversed[16];
    for (; path[length]; length++) text[length] = path[length];
    if (is_child) {
        text[length++] = '.';
        for (int pid = recorded_pid; pid; pid /= 10) reversed[digits++] = (char)('0' + pid % 10);
        while (digits) text[length++] = reversed[--digits];
    }
    text[length] = 0;
    return fh_trace_file_create(text);
}

static long wanted_pid(void)
{
    long pid = 0;
    for (const char *at = setting; *at >= '0' && *at <= '9'; at++) pid = pid * 10 + (*at - '0');
    return pid;
}

static void decide(void)
{
    if (fh_load_acquire(&mode) != UNDECIDED || !fh_lock_acquire(&lock)) return;
    if (mode == UNDECIDED) {
        fh_os_note_stderr();
        bool on = is_wanted() && create_file(wanted_pid() != recorded_pid);
        fh_store_release(&mode, on ? RECORDING : OFF);
    }
    fh_lock_release(&lock);
}

/* A stream that nobody has, or a new one. */
static struct fh_stream *take_stream(void)
{
    if (threads == FH_TRACE_THREADS_MOST) return NULL;
    struct fh_stream *stream = streams;
    while (stream && stream->in_use) stream = stream->next;
    if (!stream) {
        stream = fh_os_map(NULL, fh_align_up(sizeof *stream, fh_os_page_size()));
        if (!stream) return NULL;
        struct fh_stream **end = &streams; /* at the end: the file has threads in the order of their beginning */
        while (*end) end = &(*end)->next;
        *end = stream;
    }
    stream->now = stream->written = (struct fh_stream_mark){0};
    fh_store_relaxed(&stream->published, 0);
    stream->limit_bytes = FH_STREAM_FIRST_BYTES;
    stream->thread = threads++;
    stream->in_use = true;
    stream->busy = 0;
    return stream;
}

/* The thread's first call. What all others have done until now goes before it in the file. */
static struct fh_stream *begin_thread(void)
{
    struct fh_stream *stream = NULL;
    if (!fh_lock_acquire(&lock)) return NULL;
    if (mode == RECORDING) {
        if (streams) write_all(NULL);
        stream = mode == RECORDING ? take_stream() : NULL;
    }
    fh_lock_release(&lock);
    fh_stream_mine = stream;
    if (stream && end_key_is_made) {
        stream->busy = 1; /* setspecific may allocate, and that is no call of the program's */
        pthread_setspecific(end_key, stream);
        stream->busy = 0;
    }
    return stream;
}

static void end_thread(void *argument)
{
    struct fh_stream *stream = argument;
    if (fh_stream_mine != stream || !fh_lock_acquire(&lock)) return;
    fh_stream_mine = NULL;
    has_ended = true;
    if (fh_load_relaxed(&mode) == RECORDING) {
        unsigned char *at = fh_event_head(stream->buffer + stream->now.bytes, FH_TRACE_CODE_OTHER, FH_TRACE_OTHER_END);
        stream->now.bytes = (size_t)(at - stream->buffer);
        stream->now.events++;
        write_all(stream);
    }
    rewind_stream(stream);
    stream->in_use = false;
    fh_lock_release(&lock);
}

/* --- The slow ways of an event --- */

struct fh_stream *fh_trace_enter_slowly(void)
{
    decide();
    if (fh_load_acquire(&mode) != RECORDING) return NULL;
    struct fh_stream *stream = fh_stream_mine;
    if (!stream && !has_ended) stream = begin_thread();
    if (stream && !stream->busy) return stream;
    /* Past its end, or in a signal handler on top of an event: one stream for all such calls, locked. */
    if (!fh_lock_acquire(&lock)) return NULL;
    if (mode == RECORDING && !strays) strays = take_stream();
    if (mode == RECORDING && strays) {
        if (strays->now.bytes >= strays->limit_bytes) write_all(NULL), rewind_stream(strays);
        return strays;
    }
    fh_lock_release(&lock);
    return NULL;
}

void fh_trace_leave_slowly(struct fh_stream *stream)
{
    if (stream == strays) fh_lock_release(&lock);
}

void fh_trace_make_room(struct fh_stream *stream)
{
    if (stream == strays) return; /* had room when it was entered */
    if (!fh_lock_acquire(&lock)) {
        rewind_stream(stream); /* it is lost; can't happen but in a signal handler on top of the writer */
        return;
    }
    if (fh_load_relaxed(&mode) == RECORDING && fh_os_pid() != recorded_pid) fh_store_relaxed(&mode, OFF);
    if (fh_load_relaxed(&mode) == RECORDING) {
        fh_touched_sample(false, note_touched, stream);
        write_all(stream);
    }
    rewind_stream(stream);
    if (mode == OFF) fh_stream_mine = NULL;
    fh_lock_release(&lock);
}

void fh_trace_finish(void)
{
    if (fh_load_acquire(&mode) != RECORDING || !fh_lock_acquire(&lock)) return;
    struct fh_stream *own = fh_stream_mine ? fh_stream_mine : strays;
    if (mode == RECORDING && fh_os_pid() == recorded_pid) { /* in the child of a vfork it is not over yet */
        if (own) fh_touched_sample(true, note_touched, own);
        write_all(own);
        if (mode == RECORDING) fh_trace_file_finish();
        fh_store_release(&mode, OFF);
        fh_stream_mine = NULL;
    }
    fh_lock_release(&lock);
}

/* In the child of a fork there is one thread, and the file is the parent's. */
static void child_begins(void)
{
    fh_lock_init(&lock, (enum fh_lock_rank)FH_RECORD_RANK_FILE);
    fh_touched_forget();
    fh_trace_file_abandon();
    if (fh_load_relaxed(&mode) != RECORDING) return;
    for (struct fh_stream *stream = streams; stream; stream = stream->next) {
        stream->in_use = stream->busy = 0;
        rewind_stream(stream);
    }
    strays = fh_stream_mine = NULL;
    threads = 0;
    recorded_pid = fh_os_pid();
    fh_store_relaxed(&mode, OFF);
    if (!follows_children) return;
    fh_shadow_forget();
    if (create_file(true)) fh_store_relaxed(&mode, RECORDING);
}

__attribute__((constructor(101))) static void start(void)
{
    decide();
    if (mode != RECORDING) return;
    end_key_is_made = pthread_key_create(&end_key, end_thread) == 0;
    if (end_key_is_made && fh_stream_mine) pthread_setspecific(end_key, fh_stream_mine);
    pthread_atfork(NULL, NULL, child_begins);
}

__attribute__((destructor(101))) static void end(void) { fh_trace_finish(); }

/* Ends that run no destructors. */
FH_EXPORT void _exit(int status)
{
    fh_trace_finish();
    for (;;) fh_syscall1(SYS_exit_group, status);
}
FH_EXPORT void _Exit(int status) __attribute__((alias("_exit")));
