/*
 * launch_count.c - counts the system calls of a command and of all that it starts, and finds its peak resident set to
 * the page. A seccomp filter stops the command at each call (SECCOMP_RET_TRACE, with the call's place in the table as
 * data).
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
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER = LAUNCH_CALLS - 1, ENDS_MEMORY = LAUNCH_CALLS };

static const int named_calls[OTHER] = {SYS_brk,    SYS_mmap,     SYS_munmap, SYS_madvise,
                                       SYS_mremap, SYS_mprotect, SYS_futex,  SYS_sched_yield};
const char *const launch_call_names[LAUNCH_CALLS] = {"brk",      "mmap",  "munmap",      "madvise", "mremap",
                                                     "mprotect", "futex", "sched_yield", "other"};
/* Calls without a name of their own at which a resident set falls. */
static const int ending_calls[] = {SYS_exit_group, SYS_exit, SYS_execve};
enum { ENDING_CALLS = sizeof ending_calls / sizeof ending_calls[0] };

static unsigned short compare(struct sock_filter *code, unsigned short at, int call, unsigned data)
{
    code[at] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1);
    code[at + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | data);
    return at + 2;
}

static void install_filter(void)
{
    struct sock_filter code[2 * (OTHER + ENDING_CALLS) + 2];
    unsigned short length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < OTHER; i++) length = compare(code, length, named_calls[i], i);
    for (unsigned i = 0; i < ENDING_CALLS; i++) length = compare(code, length, ending_calls[i], ENDS_MEMORY);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | OTHER);
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        launch_die("seccomp");
}

static pid_t start_traced(char **argv, char **environment)
{
    int status;
    const long options =
        PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
    pid_t child = fork();
    if (child == -1) launch_die("fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) launch_die("ptrace");
        raise(SIGSTOP);
        install_filter();
        launch_exec(argv, environment);
    }
    while (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        if (errno != EINTR) launch_die("the command did not stop");
    launch_started(child);
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) != 0 || ptrace(PTRACE_CONT, child, 0, 0) != 0)
        launch_die("ptrace");
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

/* brk, munmap, mremap and madvise may free pages, mmap and mprotect replace or merge; a thread's end frees its stack.
 */
static int may_shrink(unsigned long call) { return call < 5 || call == ENDS_MEMORY; }

int launch_counted(char **argv, char **environment, struct rusage *usage, struct launch_counts *counts)
{
    pid_t first = start_traced(argv, environment), pid;
    int status, result = 0, started = 0;
    struct rusage one;
    while ((pid = wait4(-1, &status, __WALL, &one)) != -1 || errno == EINTR) {
        if (pid == -1) continue;
        if (!WIFSTOPPED(status)) {
            if (pid == first) {
                result = status;
                *usage = one;
            }
            continue;
        }
        unsigned event = (unsigned)status >> 16;
        unsigned long call = 0;
        if (event == PTRACE_EVENT_SECCOMP && ptrace(PTRACE_GETEVENTMSG, pid, 0, &call) == 0 && call <= ENDS_MEMORY) {
            if (may_shrink(call) && started) note_peak(pid, &counts->peak_kib);
            started |= call == ENDS_MEMORY; /* the command's own exec: what was before is this program */
            counts->calls[call == ENDS_MEMORY ? OTHER : call]++;
        }
        /* The stop of a new thread or of an exec is the tracer's; other signals are the command's. */
        int signal = WSTOPSIG(status);
        if (event != 0 || signal == SIGSTOP || signal == SIGTRAP) signal = 0;
        ptrace(PTRACE_CONT, pid, 0, signal);
    }
    return result;
}
