/*
 * step.c - counts the instructions of the malloc and free fast paths without valgrind: it lets `golden_scenario traps`
 * run under ptrace and single-steps it between its traps. The second source beside callgrind, on the real kernel.
 *
 *     golden_step LIBRARY SCENARIO_PROGRAM           prints `malloc N` and `free N`, the medians
 *     golden_step --path LIBRARY SCENARIO_PROGRAM    prints `malloc|free OFFSET` for each instruction of the last
 *
 * Counted is what executes inside LIBRARY. Exit status 77: this machine does not let us trace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)

int main(void)
{
    puts("skipped: golden_step knows x86-64 only");
    return 77;
}

#else

enum { MOST_CALLS = 1000, MOST_STEPS = 20000 };

struct range {
    uintptr_t first, end; /* addresses of the library's code */
    uintptr_t base;       /* minus the offset in the file */
};

static _Noreturn void quit(int status, const char *what)
{
    printf("%s: %s (%s)\n", status == 77 ? "skipped" : "golden_step", what, strerror(errno));
    exit(status);
}

static pid_t start(const char *library, char *program)
{
    char preload[PATH_MAX + 16];
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
    char *argv[] = {program, "traps", "100", NULL}, *environment[] = {preload, NULL};
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0)
            _exit(77);
        execve(program, argv, environment);
        _exit(1);
    }
    if (child == -1 || waitpid(child, &status, 0) != child)
        quit(1, "cannot start the scenario");
    if (WIFEXITED(status))
        quit(WEXITSTATUS(status), "cannot trace the scenario");
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_EXITKILL);
    return child;
}

static struct range code_of(pid_t pid, const char *library)
{
    char path[64], line[PATH_MAX + 128], real[PATH_MAX];
    struct range range = {0};
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    if (maps == NULL || realpath(library, real) == NULL)
        quit(1, "cannot find the library");
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long first, end, offset;
        char mode[5];
        if (strstr(line, real) != NULL && sscanf(line, "%lx-%lx %4s %lx", &first, &end, mode, &offset) == 4 &&
            strchr(mode, 'x') != NULL)
            range = (struct range){first, end, first - offset};
    }
    fclose(maps);
    if (range.end == 0)
        quit(1, "the scenario does not run on the library");
    return range;
}

/* Runs to the next trap; false at the end of the program. */
static int run_to_trap(pid_t pid)
{
    int status;
    ptrace(PTRACE_CONT, pid, 0, 0);
    if (waitpid(pid, &status, 0) != pid || WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
        quit(1, "the scenario failed");
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* Steps to the next trap; returns how many instructions of the library ran, and notes where. */
static unsigned step_to_trap(pid_t pid, const struct range *range, uintptr_t *offsets)
{
    unsigned inside = 0;
    struct user_regs_struct before, after;
    int status;
    if (ptrace(PTRACE_GETREGS, pid, 0, &before) != 0)
        quit(1, "cannot read registers");
    for (unsigned steps = 0; steps < MOST_STEPS; steps++) {
        long word = ptrace(PTRACE_PEEKTEXT, pid, before.rip, 0);
        if (before.rip >= range->first && before.rip < range->end)
            offsets[inside++] = before.rip - range->base;
        if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
            ptrace(PTRACE_GETREGS, pid, 0, &after) != 0)
            quit(1, "cannot step");
        if ((word & 0xff) == 0xcc)
            return inside;
        before = after;
    }
    quit(1, "a call took more steps than seems possible");
}

static int compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const name[2] = {"malloc", "free"};
    static unsigned counts[2][MOST_CALLS];
    static uintptr_t offsets[2][MOST_STEPS];
    unsigned calls = 0;
    int show_path = argc > 1 && strcmp(argv[1], "--path") == 0;
    if (argc != 3 + show_path) {
        fprintf(stderr, "usage: golden_step [--path] LIBRARY SCENARIO_PROGRAM\n");
        return 2;
    }
    pid_t pid = start(argv[1 + show_path], argv[2 + show_path]);
    struct range range = {0};
    for (unsigned trap = 0; calls < 2 * MOST_CALLS && run_to_trap(pid); trap++, calls++) {
        if (trap == 0)
            range = code_of(pid, argv[1 + show_path]);
        counts[calls % 2][calls / 2] = step_to_trap(pid, &range, offsets[calls % 2]);
    }
    if (calls < 2)
        quit(1, "the scenario had no traps");
    for (int kind = 0; kind < 2; kind++) {
        unsigned last = counts[kind][calls / 2 - 1];
        qsort(counts[kind], calls / 2, sizeof counts[kind][0], compare);
        for (unsigned i = 0; show_path && i < last; i++)
            printf("%s %lx\n", name[kind], (unsigned long)offsets[kind][i]);
        if (!show_path)
            printf("%s %u\n", name[kind], counts[kind][calls / 4]);
    }
    return 0;
}

#endif
