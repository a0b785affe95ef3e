/*
 * helper_calls.c - a program with a known number of system calls and a known peak, for the test of bench-launch: maps
 * and touches as many MiB as the first argument says, unmaps them, yields as many times as the second says, and ends
 * with the status that the third says. The environment variable HELPER_SAYS, if there is one, goes to standard output.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    if (argc != 4) return 99;
    size_t size = (size_t)atoi(argv[1]) << 20;
    const char *says = getenv("HELPER_SAYS");
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return 98;
    memset(block, 1, size);
    if (munmap(block, size) != 0) return 97;
    for (int i = atoi(argv[2]); i > 0; i--) sched_yield();
    if (says != NULL) puts(says);
    return atoi(argv[3]);
}
