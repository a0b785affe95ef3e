/*
 * launch.h - between the two halves of bench-launch: starting a command and reading its resource use (launch.c), and
 * counting its system calls (launch_count.c).
 */
#ifndef FREEHOLD_BENCH_LAUNCH_H
#define FREEHOLD_BENCH_LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

/* What is counted by name; every other call counts under the last name. */
enum { LAUNCH_CALLS = 9 };
extern const char *const launch_call_names[LAUNCH_CALLS];

struct launch_counts {
    unsigned long calls[LAUNCH_CALLS];
    long peak_kib; /* largest resident set of one process, to the page: 0 if the kernel does not say */
};

/* Runs argv with every call announced, waits for it and all it started; fills *usage and *counts. Returns the wait
 * status. */
int launch_counted(char **argv, char **environment, struct rusage *usage, struct launch_counts *counts);

/* In the child: leads a process group of its own, and ends when this program does. */
void launch_prepare(void);

/* Whom the time limit kills. */
void launch_started(pid_t pid);

_Noreturn void launch_die(const char *what);

#endif /* FREEHOLD_BENCH_LAUNCH_H */
