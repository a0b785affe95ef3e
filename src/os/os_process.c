/*
 * os_process.c - the process half of os.h: messages, abort, small files, CPUs.
 *
 * Layer: os. Owns the identity of standard error at the start.
 */
#define _GNU_SOURCE 1
#include "os.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "parse.h"
#include "syscalls.h"

int fh_os_pid(void) { return (int)fh_syscall0(SYS_getpid); }
bool fh_os_is_secure(void) { return getauxval(AT_SECURE) != 0; }

void fh_os_write(int fd, const char *text, size_t length)
{
    while (length) {
        long written = fh_syscall3(SYS_write, fd, text, length);
        if (written == -4) continue; /* EINTR */
        if (written <= 0) return;
        text += written;
        length -= (size_t)written;
    }
}

static struct {
    bool known;
    dev_t device;
    ino_t inode;
} stderr_at_start;

static bool stat_descriptor(int fd, struct stat *st)
{
#ifdef SYS_newfstatat
    return fh_syscall4(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH) == 0;
#else
    return fh_syscall2(SYS_fstat, fd, st) == 0;
#endif
}

void fh_os_note_stderr(void)
{
    struct stat st;
    if (!stat_descriptor(2, &st)) return;
    stderr_at_start.known = true;
    stderr_at_start.device = st.st_dev;
    stderr_at_start.inode = st.st_ino;
}

static bool is_stderr_of_start(const struct stat *st)
{
    return stderr_at_start.known && st->st_dev == stderr_at_start.device && st->st_ino == stderr_at_start.inode;
}

/*
 * A program that closed descriptor 2 and then opened a data file has that file there now, and a line in the middle of
 * a database helps nobody. What was there at the start, what is no regular file, and a log (opened to append) are fine.
 */
static bool stderr_is_for_messages(void)
{
    struct stat st;
    if (!stat_descriptor(2, &st)) return false;
    if (!S_ISREG(st.st_mode)) return true;
    if (is_stderr_of_start(&st)) return true;
    long flags = fh_syscall3(SYS_fcntl, 2, F_GETFL, 0);
    return !fh_syscall_failed(flags) && (flags & O_APPEND);
}

int fh_os_keep_stderr(void)
{
    enum { OUT_OF_THE_WAY = 200 }; /* programs count on the lowest descriptors being free */
    long fd = fh_syscall3(SYS_fcntl, 2, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    return fh_syscall_failed(fd) ? 2 : (int)fd;
}

void fh_os_complain(const char *text, size_t length)
{
    if (stderr_is_for_messages()) fh_os_write(2, text, length);
}

void fh_os_complain_on_kept(int fd, const char *text, size_t length)
{
    struct stat st;
    if (fd == 2) fh_os_complain(text, length);
    else if (stat_descriptor(fd, &st) && is_stderr_of_start(&st)) fh_os_write(fd, text, length);
}

void fh_os_abort(void)
{
    /* SIGABRT as abort(3) gives it: unblocked, a handler runs first; if it returns, the default action follows. */
    uint64_t set = 1ULL << (SIGABRT - 1);
    for (int attempt = 0;; attempt++) {
        fh_syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, 0, sizeof set);
        fh_syscall3(SYS_tgkill, fh_syscall0(SYS_getpid), fh_syscall0(SYS_gettid), SIGABRT);
        struct { /* the kernel's struct sigaction; all zero is SIG_DFL */
            void *handler;
            unsigned long flags;
            void *restorer;
            uint64_t mask;
        } default_action = {0};
        fh_syscall4(SYS_rt_sigaction, SIGABRT, &default_action, 0, sizeof set);
        if (attempt > 2) __builtin_trap();
    }
}

long fh_os_read_file(const char *path, char *out, size_t size)
{
    long fd = fh_syscall4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fh_syscall_failed(fd)) return -1;
    size_t length = 0;
    while (length + 1 < size) {
        long got = fh_syscall3(SYS_read, fd, out + length, size - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    out[length] = 0;
    fh_syscall1(SYS_close, fd);
    return (long)length;
}

size_t fh_os_resident_bytes(void)
{
    char text[128];
    if (fh_os_read_file("/proc/self/statm", text, sizeof text) <= 0) return 0;
    const char *at = text;
    fh_parse_number(&at); /* size; the second number is the resident set, both in pages */
    uint64_t resident = fh_parse_number(&at);
    return resident == UINT64_MAX ? 0 : resident * fh_os_page_size();
}

void fh_os_process_name(char out[16])
{
    out[0] = out[15] = 0;
    fh_syscall2(SYS_prctl, PR_GET_NAME, out);
}

uint64_t fh_os_now_ms(void)
{
    enum { CLOCK_MONOTONIC_COARSE_ID = 6 }; /* clock_gettime(2); no hardware is read */
    struct {
        int64_t s, ns;
    } now = {0, 0};
    if (fh_syscall2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE_ID, &now) != 0) return 0;
    return (uint64_t)now.s * 1000 + (uint64_t)now.ns / 1000000;
}

unsigned fh_os_usable_cpus(void)
{
    uint64_t mask[64]; /* 4,096 CPUs */
    unsigned cpus = 0;
    long bytes = fh_syscall3(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (long i = 0; i < bytes / 8; i++) cpus += (unsigned)__builtin_popcountll(mask[i]);
    if (cpus == 0) cpus = 1;
    unsigned quota = fh_os_cgroup_cpus();
    return quota < cpus ? quota : cpus;
}

size_t fh_os_mappings_most(void)
{
    char text[32];
    const char *at = text;
    if (fh_os_read_file("/proc/sys/vm/max_map_count", text, sizeof text) <= 0) return FH_OS_MAPPINGS_USUAL;
    uint64_t most = fh_parse_number(&at);
    return most == UINT64_MAX ? FH_OS_MAPPINGS_USUAL : most;
}
