/*
 * trace_read.c - reading a trace, whatever is in the file: it may be cut off, and any byte of it may be wrong.
 *
 * Blocks of events are in the file in such an order that a thread's events wait at most for the next part of another
 * thread's (freehold-trace(5)); what waits is kept, and how much that may be is limited.
 */
#include "trace_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PENDING_MOST_BYTES = 512 << 20 };
#define BIRTHS_MOST ((uint64_t)1 << 43)

struct fh_trace_pending {
    struct fh_trace_pending *next;
    struct fh_trace_cursor cursor;
    size_t bytes;
    unsigned char payload[];
};

static bool fail(struct fh_trace_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct fh_trace_reader *reader, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reader->error, sizeof(reader->error), format, args);
    va_end(args);
    return false;
}

/* The bytes there are at `offset`, at most `size`; -1 after an error. */
static ssize_t read_at(struct fh_trace_reader *reader, void *out, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(reader->fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fail(reader, "cannot be read: %s", strerror(errno));
            return -1;
        }
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static void make_command(struct fh_trace_reader *reader, const char *bytes, size_t length)
{
    char *out = reader->command;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\0')
            *out++ = ' ';
        else
            *out++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    while (out > reader->command && out[-1] == ' ')
        out--;
    *out = '\0';
}

static bool read_header(struct fh_trace_reader *reader)
{
    struct fh_trace_header *header = &reader->header;
    char command[FH_TRACE_COMMAND_MOST + 8];
    ssize_t got = read_at(reader, header, sizeof(*header), 0);

    if (got < 0)
        return false;
    if ((size_t)got < sizeof(header->magic) || memcmp(header->magic, FH_TRACE_MAGIC, sizeof(header->magic)) != 0)
        return fail(reader, "not a trace; freehold record -o FILE -- COMMAND makes one");
    if ((size_t)got < sizeof(*header))
        return fail(reader, "cut off within its header");
    if (header->byte_order != FH_TRACE_BYTE_ORDER)
        return fail(reader, "not in this machine's byte order, or damaged");
    if (header->version != FH_TRACE_VERSION)
        return fail(reader, "of version %u, and this program knows %d; use one as new as the library that recorded",
                    header->version, FH_TRACE_VERSION);
    size_t length = header->header_bytes - sizeof(*header);
    if (header->header_bytes < sizeof(*header) || length > sizeof(command) || header->command_bytes > length ||
        header->command_bytes > FH_TRACE_COMMAND_MOST)
        return fail(reader, "its header is damaged");
    got = read_at(reader, command, length, sizeof(*header));
    if (got < 0)
        return false;
    if ((size_t)got < length)
        return fail(reader, "cut off within its header");
    uint64_t sum = fh_trace_checksum(FH_TRACE_CHECKSUM_START, header, offsetof(struct fh_trace_header, checksum));
    if (fh_trace_checksum(sum, command, length) != header->checksum || header->page_bytes == 0)
        return fail(reader, "its header is damaged");
    make_command(reader, command, header->command_bytes);
    return true;
}

/* A proper end says where the events end. Without one they end where the file does. */
static void read_trailer(struct fh_trace_reader *reader)
{
    struct fh_trace_trailer trailer;
    reader->events_end = reader->file_bytes;
    if (reader->file_bytes < reader->header.header_bytes + sizeof(trailer) ||
        read_at(reader, &trailer, sizeof(trailer), reader->file_bytes - sizeof(trailer)) != (ssize_t)sizeof(trailer))
        return;
    uint64_t sum = fh_trace_checksum(FH_TRACE_CHECKSUM_START, &trailer, offsetof(struct fh_trace_trailer, checksum));
    if (memcmp(trailer.magic, FH_TRACE_END_MAGIC, sizeof(trailer.magic)) != 0 || trailer.checksum != sum ||
        trailer.index_offset < reader->header.header_bytes || trailer.index_offset > reader->file_bytes)
        return;
    reader->is_complete = true;
    reader->events_end = trailer.index_offset;
}

bool fh_trace_open(struct fh_trace_reader *reader, const char *path)
{
    struct stat info;
    memset(reader, 0, sizeof(*reader));
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->fd < 0)
        return fail(reader, "cannot be opened: %s; freehold record -o FILE -- COMMAND makes a trace", strerror(errno));
    if (fstat(reader->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return fail(reader, "not a regular file");
    reader->file_bytes = (uint64_t)info.st_size;
    if (!read_header(reader))
        return false;
    read_trailer(reader);
    return true;
}

bool fh_trace_is_trace(const char *path)
{
    char magic[sizeof(FH_TRACE_MAGIC)] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_trace = fd >= 0 && read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
                    memcmp(magic, FH_TRACE_MAGIC, sizeof(magic)) == 0;
    if (fd >= 0)
        close(fd);
    return is_trace;
}

static void drop_pending(struct fh_trace_reader *reader, struct fh_trace_thread *thread)
{
    struct fh_trace_pending *pending = thread->pending;
    thread->pending = pending->next;
    reader->pending_bytes -= pending->bytes;
    reader->pending_count--;
    free(pending);
}

static void forget_threads(struct fh_trace_reader *reader)
{
    for (size_t i = 0; i < reader->thread_count; i++) {
        while (reader->threads[i].pending)
            drop_pending(reader, &reader->threads[i]);
    }
    free(reader->threads);
    reader->threads = NULL;
    reader->thread_count = 0;
}

void fh_trace_close(struct fh_trace_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
    forget_threads(reader);
    free(reader->payload);
    reader->payload = NULL;
}

static struct fh_trace_thread *thread_of(struct fh_trace_reader *reader, uint32_t number)
{
    if (number >= reader->thread_count) {
        size_t count = reader->thread_count ? reader->thread_count : 16;
        while (count <= number)
            count *= 2;
        struct fh_trace_thread *threads = realloc(reader->threads, count * sizeof(*threads));
        if (!threads) {
            fail(reader, "not enough memory");
            return NULL;
        }
        memset(threads + reader->thread_count, 0, (count - reader->thread_count) * sizeof(*threads));
        reader->threads = threads;
        reader->thread_count = count;
    }
    return &reader->threads[number];
}

/* Whether the event refers to a block that has not been born in what was delivered. */
static bool must_wait(const struct fh_trace_reader *reader, uint32_t thread, const struct fh_trace_event *event)
{
    if (event->kind < FH_TRACE_REALLOC || event->kind > FH_TRACE_USABLE || event->old.thread == thread)
        return false;
    return event->old.thread >= reader->thread_count ||
           event->old.number > reader->threads[event->old.thread].births;
}

enum outcome { DONE, WAITS, STOPPED };

/* Delivers the events of one block until one must wait. */
static enum outcome deliver(struct fh_trace_reader *reader, struct fh_trace_cursor *cursor, fh_trace_visit_fn *visit,
                            void *arg)
{
    for (;;) {
        struct fh_trace_cursor before = *cursor;
        struct fh_trace_event event = {.align_log2 = 0};
        int found = fh_trace_next(cursor, &event);
        if (found < 0) {
            fail(reader, "an event of thread %u is damaged", cursor->thread);
            return STOPPED;
        }
        if (found == 0)
            return DONE;
        if (must_wait(reader, cursor->thread, &event)) {
            *cursor = before;
            return WAITS;
        }
        reader->threads[cursor->thread].births = cursor->births;
        reader->events++;
        if (!visit(arg, cursor->thread, &event))
            return STOPPED;
    }
}

static bool keep(struct fh_trace_reader *reader, const struct fh_trace_cursor *cursor)
{
    struct fh_trace_thread *thread = &reader->threads[cursor->thread];
    size_t length = (size_t)(cursor->end - cursor->at), bytes = sizeof(struct fh_trace_pending) + length;
    if (reader->pending_bytes + bytes > PENDING_MOST_BYTES)
        return fail(reader, "damaged: thread %u waits too long for another one's events", cursor->thread);
    struct fh_trace_pending *pending = malloc(bytes);
    if (!pending)
        return fail(reader, "not enough memory");
    memcpy(pending->payload, cursor->at, length);
    pending->next = NULL;
    pending->bytes = bytes;
    pending->cursor = *cursor;
    pending->cursor.at = pending->payload;
    pending->cursor.end = pending->payload + length;
    if (thread->pending)
        thread->last_pending->next = pending;
    else
        thread->pending = pending;
    thread->last_pending = pending;
    reader->pending_bytes += bytes;
    reader->pending_count++;
    return true;
}

/* Where a thread's block begins must be where its last one ended, or beyond that, if something was lost. */
static bool starts_well(struct fh_trace_reader *reader, const struct fh_trace_cursor *cursor)
{
    struct fh_trace_thread *thread = &reader->threads[cursor->thread];
    if (cursor->births < thread->births)
        return fail(reader, "damaged: thread %u goes back", cursor->thread);
    thread->births = cursor->births;
    return true;
}

/* Goes on with every thread that waited, until nothing moves. */
static bool wake(struct fh_trace_reader *reader, fh_trace_visit_fn *visit, void *arg)
{
    bool moved = reader->pending_count > 0;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < reader->thread_count && reader->pending_count > 0; i++) {
            while (reader->threads[i].pending) {
                struct fh_trace_pending *pending = reader->threads[i].pending;
                const unsigned char *at = pending->cursor.at;
                if (at == pending->payload && !starts_well(reader, &pending->cursor))
                    return false;
                enum outcome outcome = deliver(reader, &pending->cursor, visit, arg);
                moved = moved || pending->cursor.at != at || outcome == DONE;
                if (outcome == STOPPED)
                    return false;
                if (outcome == WAITS)
                    break;
                drop_pending(reader, &reader->threads[i]);
            }
        }
    }
    return true;
}

static bool take_block(struct fh_trace_reader *reader, const struct fh_trace_block *block, fh_trace_visit_fn *visit,
                       void *arg)
{
    struct fh_trace_cursor cursor = {.at = reader->payload,
                                     .end = reader->payload + block->payload_bytes,
                                     .births = block->births,
                                     .last_freed = block->last_freed,
                                     .thread = block->thread};
    struct fh_trace_thread *thread = thread_of(reader, block->thread);
    if (!thread)
        return false;
    if (!thread->pending) {
        if (!starts_well(reader, &cursor))
            return false;
        enum outcome outcome = deliver(reader, &cursor, visit, arg);
        if (outcome == STOPPED)
            return false;
        return (outcome == DONE || keep(reader, &cursor)) && wake(reader, visit, arg);
    }
    return keep(reader, &cursor) && wake(reader, visit, arg);
}

/* A file without a proper end may be cut off within a block; one that has it is not. */
static int cut_at(struct fh_trace_reader *reader, uint64_t offset)
{
    if (!reader->is_complete) {
        reader->is_cut = true;
        return 0;
    }
    fail(reader, "damaged at byte %llu: that block would go on beyond the last", (unsigned long long)offset);
    return -1;
}

/* The header and payload at `offset`: 1; 0 at the end, or where the file is cut; -1 after an error. */
static int read_block(struct fh_trace_reader *reader, struct fh_trace_block *block, uint64_t offset)
{
    if (offset >= reader->events_end)
        return 0;
    ssize_t got = read_at(reader, block, sizeof(*block), offset);
    if (got < 0)
        return -1;
    if ((size_t)got < sizeof(*block))
        return cut_at(reader, offset);
    if (block->magic != FH_TRACE_BLOCK_MAGIC || block->payload_bytes > FH_TRACE_PAYLOAD_MOST ||
        block->thread >= FH_TRACE_THREADS_MOST || block->births > BIRTHS_MOST) {
        fail(reader, "damaged at byte %llu: no block begins there", (unsigned long long)offset);
        return -1;
    }
    if (offset + sizeof(*block) + block->payload_bytes > reader->events_end)
        return cut_at(reader, offset);
    got = read_at(reader, reader->payload, block->payload_bytes, offset + sizeof(*block));
    if (got < 0)
        return -1;
    if ((size_t)got < block->payload_bytes)
        return cut_at(reader, offset);
    uint64_t sum = fh_trace_checksum(FH_TRACE_CHECKSUM_START, block, offsetof(struct fh_trace_block, checksum));
    if (fh_trace_checksum(sum, reader->payload, block->payload_bytes) != block->checksum) {
        fail(reader, "damaged between bytes %llu and %llu: the checksum is wrong", (unsigned long long)offset,
             (unsigned long long)(offset + sizeof(*block) + block->payload_bytes));
        return -1;
    }
    return 1;
}

bool fh_trace_read(struct fh_trace_reader *reader, fh_trace_visit_fn *visit, void *arg)
{
    struct fh_trace_block block;
    uint64_t offset = reader->header.header_bytes;
    int found;

    forget_threads(reader);
    reader->blocks = reader->events = reader->unresolved = reader->last_time_ns = 0;
    reader->is_cut = false;
    if (!reader->payload)
        reader->payload = malloc(FH_TRACE_PAYLOAD_MOST);
    if (!reader->payload)
        return fail(reader, "not enough memory");
    while ((found = read_block(reader, &block, offset)) > 0) {
        offset += sizeof(block) + block.payload_bytes;
        reader->blocks++;
        reader->last_time_ns = block.time_ns;
        if (block.kind == FH_TRACE_EVENTS && !take_block(reader, &block, visit, arg))
            return false;
    }
    if (found < 0)
        return false;
    reader->unresolved = reader->pending_count;
    return true;
}
