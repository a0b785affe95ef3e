/*
 * launch.h - between the two halves of bench-launch: starting a command and reading its resource use (launch.c), and
 * counting its memory system calls (launch_count.c).
 */
#ifndef FREEHOLD_BENCH_LAUNCH_H
#define FREEHOLD_BENCH_LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

/* The system calls that are counted, in the order of memory_calls[]. */
enum { LAUNCH_CALLS = 6 };
extern const char *const launch_call_names[LAUNCH_CALLS];

/* Runs argv under a tracer, waits for it and all it started; fills *usage and counts. Returns the wait status. */
int launch_counted(char **argv, char **environment, struct rusage *usage, unsigned long counts[LAUNCH_CALLS]);

/* Where the figures go; not for the command. */
extern int launch_result_fd;

_Noreturn void launch_die(const char *what);

#endif /* FREEHOLD_BENCH_LAUNCH_H */
