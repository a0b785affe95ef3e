/*
 * tides.c - the program bench-tides: a heap that fills and empties again and again, for whether memory that comes back
 * by itself costs more than it is worth. `bench-tides BYTES PERIOD_US TIDES`
 *
 * A tide allocates and writes BYTES in blocks of 32 to 255 bytes and frees all of them, in the order of allocation;
 * then it waits for the rest of its period. Prints the CPU time, minor faults and seconds of TIDES of them, what of
 * CPU time and faults is the first two's (what went after the first is faulted in again in the second, and only that
 * teaches the allocator better), and the resident memory a moment after the last, of which the table of pointers,
 * `own_kib`, is the program's own.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec until = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

static long resident_kib(void)
{
    long pages = 0, ignored;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    if (statm) fclose(statm);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

enum { MEAN_BYTES = (32 + 255) / 2, FIRST = 2 };

int main(int argc, char **argv)
{
    if (argc != 4 || atol(argv[1]) < 4096 || atol(argv[3]) <= FIRST) {
        fprintf(stderr, "usage: bench-tides BYTES PERIOD_US TIDES (at least 4096 bytes and three tides)\n");
        return 2;
    }
    size_t count = (size_t)atol(argv[1]) / MEAN_BYTES, table_bytes = count * sizeof(void *);
    uint64_t period_ns = (uint64_t)atol(argv[2]) * 1000;
    /* Not from the allocator, which is what is measured. */
    void **blocks = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED) {
        perror("bench-tides");
        return 1;
    }
    memset(blocks, 0, table_bytes);
    long faults_before = faults(), faults_first = 0;
    uint64_t first_ns = 0;
    uint64_t cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID), start_ns = now_ns(CLOCK_MONOTONIC), due_ns = start_ns;
    for (long tide = 0; tide < atol(argv[3]); tide++) {
        uint32_t random = 1;
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525u + 1013904223u;
            size_t bytes = 32 + (random >> 16) % 224;
            blocks[i] = malloc(bytes);
            if (!blocks[i]) return 1;
            memset(blocks[i], 1, bytes);
        }
        for (size_t i = 0; i < count; i++) free(blocks[i]);
        if (tide == FIRST - 1) {
            first_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
            faults_first = faults() - faults_before;
        }
        due_ns += period_ns;
        if (now_ns(CLOCK_MONOTONIC) < due_ns) sleep_until(due_ns);
        else due_ns = now_ns(CLOCK_MONOTONIC);
    }
    cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
    long faults_in_all = faults() - faults_before;
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
    sleep_until(now_ns(CLOCK_MONOTONIC) + 100000000u);
    printf("cpu_ms %.2f cpu_first_ms %.2f faults %ld faults_first %ld seconds %.3f rss_end_kib %ld own_kib %zu\n",
           (double)cpu_ns / 1e6, (double)first_ns / 1e6, faults_in_all, faults_first, seconds, resident_kib(),
           table_bytes / 1024);
    return 0;
}
