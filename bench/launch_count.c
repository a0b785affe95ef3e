/*
 * launch_count.c - counts the memory system calls of a command and of all that it starts. A seccomp filter stops the
 * command at those calls only (SECCOMP_RET_TRACE with the call's number in the table as data), so that everything else
 * runs at full speed.
 */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int memory_calls[LAUNCH_CALLS] = {SYS_brk, SYS_mmap, SYS_munmap, SYS_madvise, SYS_mremap, SYS_mprotect};
const char *const launch_call_names[LAUNCH_CALLS] = {"brk", "mmap", "munmap", "madvise", "mremap", "mprotect"};

static void install_filter(void)
{
    struct sock_filter code[2 * LAUNCH_CALLS + 2];
    unsigned short length = 0;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < LAUNCH_CALLS; i++) {
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)memory_calls[i], 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | i);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        launch_die("seccomp");
}

static pid_t start_traced(char **argv, char **environment)
{
    int status;
    const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_EXITKILL;
    pid_t child = fork();
    if (child == -1)
        launch_die("fork");
    if (child == 0) {
        close(launch_result_fd);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            launch_die("ptrace");
        raise(SIGSTOP);
        install_filter();
        execve(argv[0], argv, environment);
        launch_die(argv[0]);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        launch_die("the command did not stop");
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) != 0 || ptrace(PTRACE_CONT, child, 0, 0) != 0)
        launch_die("ptrace");
    return child;
}

int launch_counted(char **argv, char **environment, struct rusage *usage, unsigned long counts[LAUNCH_CALLS])
{
    pid_t first = start_traced(argv, environment), pid;
    int status, result = 0;
    struct rusage one;
    while ((pid = wait4(-1, &status, __WALL, &one)) != -1 || errno == EINTR) {
        if (!WIFSTOPPED(status)) {
            if (pid == first) {
                result = status;
                *usage = one;
            }
            continue;
        }
        unsigned event = (unsigned)status >> 16;
        unsigned long call = LAUNCH_CALLS;
        if (event == PTRACE_EVENT_SECCOMP && ptrace(PTRACE_GETEVENTMSG, pid, 0, &call) == 0 && call < LAUNCH_CALLS)
            counts[call]++;
        /* The stop of a new thread or of an exec is the tracer's; other signals are the command's. */
        int signal = WSTOPSIG(status);
        if (event != 0 || signal == SIGSTOP || signal == SIGTRAP)
            signal = 0;
        ptrace(PTRACE_CONT, pid, 0, signal);
    }
    return result;
}
