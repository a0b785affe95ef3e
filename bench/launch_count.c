/*
 * launch_count.c - counts the system calls of a command and of all that it starts, and finds its peak resident set to
 * the page. A seccomp filter announces each call to this program (SECCOMP_RET_USER_NOTIF), which counts it and lets it
 * go on. ptrace would do as well, but with a thousand threads each wait4 of the tracer looks at all of them.
 *
 * The peak: the kernel's own counters lag by dozens of pages for each CPU, a good part of a small process. A resident
 * set only falls by a system call, so it is enough to read the exact figure (from the page tables, through
 * smaps_rollup) at the calls that can make it fall; the largest of these is the peak. Another thread may touch a page
 * between the reading and the fall; nothing else escapes.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Places in the table: of the first SHRINKING, each can make a resident set fall. */
enum { BRK, MMAP, MUNMAP, MADVISE, MREMAP, SHRINKING, OTHER = LAUNCH_CALLS - 1 };

static const int named_calls[OTHER] = {SYS_brk,    SYS_mmap,     SYS_munmap, SYS_madvise,
                                       SYS_mremap, SYS_mprotect, SYS_futex,  SYS_sched_yield};
const char *const launch_call_names[LAUNCH_CALLS] = {"brk",      "mmap",  "munmap",      "madvise", "mremap",
                                                     "mprotect", "futex", "sched_yield", "other"};

/* Announces every call; the listener, or -1. */
static int install_filter(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
    struct sock_fprog program = {.len = 1, .filter = code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/*
 * Starts the command, which waits at its exec until somebody listens. The child has this program's descriptors, not
 * copies of them, until then: so the listener is there without being sent, which would be a call that waits for a
 * listener. (An exec ends the sharing, and the listener is closed by it on the command's side.)
 */
static pid_t start_filtered(char **argv, char **environment, int *listener)
{
    enum { NOT_YET = -2 };
    int *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED) launch_die("mmap");
    __atomic_store_n(told, NOT_YET, __ATOMIC_RELEASE);
    pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (child == -1) launch_die("clone");
    if (child == 0) {
        launch_prepare();
        int found = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? install_filter() : -1;
        __atomic_store_n(told, found >= 0 ? found : -errno - 2, __ATOMIC_RELEASE);
        execve(argv[0], argv, environment);
        launch_die(argv[0]);
    }
    launch_started(child);
    while ((*listener = __atomic_load_n(told, __ATOMIC_ACQUIRE)) == NOT_YET && waitpid(child, NULL, WNOHANG) == 0)
        usleep(100);
    if (*listener < 0) {
        errno = *listener < NOT_YET ? -*listener - 2 : ECHILD;
        launch_die("seccomp");
    }
    munmap(told, sizeof *told);
    return child;
}

static size_t read_file(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd == -1 ? -1 : read(fd, text, room - 1);
    if (fd != -1) close(fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0 ? (size_t)length : 0;
}

/* By how much statm may be wrong: each of the two counters (files, anonymous) by one batch for each CPU. */
static long statm_error_kib(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF), page_kib = sysconf(_SC_PAGESIZE) / 1024;
    long batch = 2 * cpus > 32 ? 2 * cpus : 32;
    return 2 * cpus * batch * page_kib;
}

/* Reads the exact size only when the rough one, which is cheap, could be above the peak. */
static void note_peak(pid_t pid, long *peak_kib)
{
    static long error_kib, page_kib;
    char text[1024];
    long pages = 0;
    if (error_kib == 0) {
        error_kib = statm_error_kib();
        page_kib = sysconf(_SC_PAGESIZE) / 1024;
    }
    if (read_file(pid, "statm", text, sizeof text) == 0 || sscanf(text, "%*d %ld", &pages) != 1 ||
        pages * page_kib + error_kib <= *peak_kib)
        return;
    if (read_file(pid, "smaps_rollup", text, sizeof text) == 0) return;
    const char *line = strstr(text, "Rss:");
    long kib = line != NULL ? strtol(line + 4, NULL, 10) : 0;
    if (kib > *peak_kib) *peak_kib = kib;
}

/* Whether the call can make the resident set fall. mmap is common and does so only where it replaces. */
static int may_shrink(int place, const struct seccomp_data *call)
{
    if (place == MMAP) return (call->args[3] & MAP_FIXED) != 0;
    return place < SHRINKING || call->nr == SYS_exit_group || call->nr == SYS_execve;
}

static void note_call(const struct seccomp_notif *notice, struct launch_counts *counts)
{
    int place = 0;
    while (place < OTHER && notice->data.nr != named_calls[place]) place++;
    if (may_shrink(place, &notice->data)) note_peak((pid_t)notice->pid, &counts->peak_kib);
    counts->calls[place]++;
}

/* Until nobody is left whose calls are announced. */
static void listen(int listener, struct launch_counts *counts)
{
    struct pollfd wanted = {.fd = listener, .events = POLLIN};
    for (int first = 1;;) {
        if (poll(&wanted, 1, -1) == -1) continue; /* the time limit's signal; it kills, and that is seen here */
        if (!(wanted.revents & POLLIN)) return;
        struct seccomp_notif notice = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) != 0) continue; /* killed meanwhile */
        if (!first) note_call(&notice, counts); /* the first is the command's own exec, out of this program */
        first = 0;
        struct seccomp_notif_resp go_on = {.id = notice.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
    }
}

int launch_counted(char **argv, char **environment, struct rusage *usage, struct launch_counts *counts)
{
    int status, listener;
    pid_t child = start_filtered(argv, environment, &listener);
    listen(listener, counts);
    close(listener);
    while (wait4(child, &status, 0, usage) == -1)
        if (errno != EINTR) launch_die("wait4");
    return status;
}
