/*
 * file.c - the trace file: header, blocks, index, trailer; what happens when the disk is full.
 *
 * Layer: record. System calls of its own, raw as in os/, since the library proper never writes files. All under the
 * lock of trace.c, with signals blocked: RLIMIT_FSIZE sends SIGXFSZ, which is not for the program.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "format.h"
#include "os.h"
#include "stream.h"
#include "syscalls.h"

enum { PATH_MOST = 4096, INDEX_MOST = 2048, OUT_OF_THE_WAY = 220 };

static struct {
    int fd;
    bool open, failed;
    char path[PATH_MOST];
    dev_t device;
    ino_t inode;
    uint64_t end, group_start; /* offsets */
    uint64_t events, group_events, started_ns;
    uint64_t signals; /* of the thread that writes: its mask */
    struct fh_trace_index_entry index[INDEX_MOST];
    size_t index_count, index_step, blocks; /* every index_step-th block is in the index */
} file = {.fd = -1};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0, 0};
    fh_syscall2(SYS_clock_gettime, clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One line on standard error: "freehold record: PATH: WHY". */
static void complain(const char *why)
{
    static char line[PATH_MOST + 256];
    size_t used = 0;
    const char *parts[] = {"freehold record: ", file.path, ": ", why, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c && used < sizeof line; c++) line[used++] = *c;
    fh_os_complain(line, used);
}

static const char *reason(long error)
{
    switch (-error) {
    case 28: return "no space left on device"; /* ENOSPC */
    case 27: return "file too large";          /* EFBIG, RLIMIT_FSIZE */
    case 122: return "disk quota exceeded";    /* EDQUOT */
    case 13: return "permission denied";
    case 2: return "no such directory";
    case 30: return "read-only file system";
    case 29: return "not a file in which one can seek"; /* ESPIPE */
    case 24: return "too many open files";
    default: return "it cannot be written";
    }
}

static void fail(long error)
{
    static char text[200];
    const char *parts[] = {reason(error), "; recording stopped, the program goes on"};
    size_t used = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c && used + 1 < sizeof text; c++) text[used++] = *c;
    text[used] = 0;
    complain(text);
    file.failed = true;
}

static long write_at(const void *bytes, size_t length, uint64_t offset)
{
    const char *at = bytes;
    while (length) {
        long written = fh_syscall4(SYS_pwrite64, file.fd, at, length, offset);
        if (written == -4) continue; /* EINTR */
        if (written < 0) return written;
        if (written == 0) return -28;
        at += written;
        offset += (uint64_t)written;
        length -= (size_t)written;
    }
    return 0;
}

static long open_path(int flags)
{
    long fd = fh_syscall4(SYS_openat, AT_FDCWD, file.path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, 0600);
    if (fh_syscall_failed(fd)) return fd;
    long high = fh_syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY); /* programs count on low ones */
    if (fh_syscall_failed(high)) return fd;
    fh_syscall1(SYS_close, fd);
    return high;
}

static bool is_our_file(int fd, struct stat *st)
{
    return fh_syscall4(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH) == 0 && st->st_dev == file.device &&
           st->st_ino == file.inode;
}

/* The program may have closed the descriptor, or have a file of its own there by now. */
static bool descriptor_is_good(void)
{
    struct stat st;
    if (is_our_file(file.fd, &st)) return true;
    long fd = open_path(0);
    if (fh_syscall_failed(fd)) {
        fail(fd);
        return false;
    }
    file.fd = (int)fd;
    if (is_our_file(file.fd, &st)) return true;
    fh_syscall1(SYS_close, file.fd);
    complain("another file stands there now; recording stopped, the program goes on");
    file.failed = true;
    return false;
}

bool fh_trace_file_is_open(void) { return file.open && !file.failed; }
uint64_t fh_trace_file_events(void) { return file.events; }

static long write_header(void)
{
    static union {
        struct fh_trace_header header;
        char bytes[sizeof(struct fh_trace_header) + FH_TRACE_COMMAND_MOST + 8];
    } start;
    char *command = start.bytes + sizeof start.header;
    long length = fh_os_read_file("/proc/self/cmdline", command, FH_TRACE_COMMAND_MOST);
    if (length < 0) length = 0;
    size_t bytes = fh_align_up(sizeof start.header + (size_t)length, 8);
    for (size_t i = sizeof start.header + (size_t)length; i < bytes; i++) start.bytes[i] = 0;
    start.header = (struct fh_trace_header){
        .magic = FH_TRACE_MAGIC,
        .version = FH_TRACE_VERSION,
        .byte_order = FH_TRACE_BYTE_ORDER,
        .header_bytes = (uint32_t)bytes,
        .command_bytes = (uint32_t)length,
        .page_bytes = (uint32_t)fh_os_page_size(),
        .pid = (uint32_t)fh_os_pid(),
        .started_ns = clock_ns(CLOCK_REALTIME),
    };
    uint64_t sum = fh_trace_checksum(FH_TRACE_CHECKSUM_START, start.bytes, offsetof(struct fh_trace_header, checksum));
    start.header.checksum = fh_trace_checksum(sum, command, bytes - sizeof start.header);
    file.end = bytes;
    return write_at(start.bytes, bytes, 0);
}

bool fh_trace_file_create(const char *path)
{
    size_t length = 0;
    for (; path[length] && length + 1 < sizeof file.path; length++) file.path[length] = path[length];
    file.path[length] = 0;
    file.failed = false;
    file.open = true;
    file.events = file.blocks = file.index_count = 0;
    file.index_step = 1;
    file.started_ns = clock_ns(CLOCK_MONOTONIC);
    long fd = open_path(O_CREAT | O_TRUNC);
    if (fh_syscall_failed(fd)) {
        fail(fd);
        return false;
    }
    file.fd = (int)fd;
    struct stat st = {0};
    fh_syscall4(SYS_newfstatat, file.fd, "", &st, AT_EMPTY_PATH);
    file.device = st.st_dev;
    file.inode = st.st_ino;
    fh_trace_file_begin();
    long error = write_header();
    file.group_start = file.end;
    if (error) fail(error);
    return fh_trace_file_end() && !error;
}

void fh_trace_file_begin(void)
{
    uint64_t all = ~0ull;
    fh_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &file.signals, sizeof all);
    file.group_start = file.end;
    file.group_events = file.events;
    if (file.open && !file.failed) descriptor_is_good();
}

static void note_in_index(const struct fh_trace_block *block)
{
    if (file.blocks++ % file.index_step) return;
    if (file.index_count == INDEX_MOST) { /* every second one goes */
        for (size_t i = 0; i < INDEX_MOST / 2; i++) file.index[i] = file.index[2 * i];
        file.index_count = INDEX_MOST / 2;
        file.index_step *= 2;
    }
    file.index[file.index_count++] =
        (struct fh_trace_index_entry){.offset = file.end, .first_event = block->first_event, .time_ns = block->time_ns};
}

void fh_trace_file_block(struct fh_trace_block *block, const void *payload)
{
    if (file.failed) return;
    block->magic = FH_TRACE_BLOCK_MAGIC;
    block->first_event = file.events;
    block->time_ns = clock_ns(CLOCK_MONOTONIC) - file.started_ns;
    uint64_t sum = fh_trace_checksum(FH_TRACE_CHECKSUM_START, block, offsetof(struct fh_trace_block, checksum));
    block->checksum = fh_trace_checksum(sum, payload, block->payload_bytes);
    long error = write_at(block, sizeof *block, file.end);
    if (!error) error = write_at(payload, block->payload_bytes, file.end + sizeof *block);
    if (error) {
        fail(error);
        return;
    }
    if (block->kind == FH_TRACE_EVENTS) note_in_index(block);
    file.end += sizeof *block + block->payload_bytes;
    file.events += block->events;
}

/* The signal that the kernel sends for a file that is too large is ours, if there is one. */
static void swallow_file_size_signal(void)
{
    uint64_t set = 1ull << (SIGXFSZ - 1);
    struct timespec none = {0, 0};
    fh_syscall4(SYS_rt_sigtimedwait, &set, 0, &none, sizeof set);
}

bool fh_trace_file_end(void)
{
    if (file.failed && file.fd >= 0) {
        file.events = file.group_events;
        fh_syscall2(SYS_ftruncate, file.fd, file.group_start);
        struct stat st;
        if (is_our_file(file.fd, &st)) fh_syscall1(SYS_close, file.fd);
        file.fd = -1;
        swallow_file_size_signal();
    }
    fh_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &file.signals, 0, sizeof file.signals);
    return !file.failed;
}

void fh_trace_file_finish(void)
{
    struct fh_trace_block block = {.kind = FH_TRACE_INDEX,
                                   .payload_bytes = (uint32_t)(file.index_count * sizeof *file.index)};
    struct fh_trace_trailer trailer = {.magic = FH_TRACE_END_MAGIC, .index_offset = file.end, .events = file.events};
    trailer.checksum =
        fh_trace_checksum(FH_TRACE_CHECKSUM_START, &trailer, offsetof(struct fh_trace_trailer, checksum));
    fh_trace_file_begin();
    fh_trace_file_block(&block, file.index);
    if (!file.failed) {
        long error = write_at(&trailer, sizeof trailer, file.end);
        if (error) fail(error);
    }
    if (!fh_trace_file_end()) return;
    fh_syscall1(SYS_close, file.fd);
    file.fd = -1;
    file.open = false;
}

void fh_trace_file_abandon(void)
{
    struct stat st;
    if (file.fd >= 0 && is_our_file(file.fd, &st)) fh_syscall1(SYS_close, file.fd);
    file.fd = -1;
    file.open = false;
}

bool fh_trace_file_setting(char *out, size_t size)
{
    static const char name[] = "FREEHOLD_RECORD=";
    static char chunk[4096];
    long fd = fh_syscall4(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC, 0);
    if (fh_syscall_failed(fd)) return false;
    size_t matched = 0, used = 0; /* of the name, SIZE_MAX while in another variable; of the value */
    bool found = false;
    for (long got; !found && (got = fh_syscall3(SYS_read, fd, chunk, sizeof chunk)) > 0;) {
        for (long i = 0; i < got && !found; i++) {
            char c = chunk[i];
            if (matched == sizeof name - 1) {
                if (c == 0 || used + 1 == size) found = true;
                else out[used++] = c;
            } else if (c == 0) matched = 0;
            else matched = matched < sizeof name - 1 && c == name[matched] ? matched + 1 : SIZE_MAX;
        }
    }
    fh_syscall1(SYS_close, fd);
    out[used] = 0;
    return found;
}
