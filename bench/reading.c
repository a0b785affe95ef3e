/*
 * reading.c - the program bench-reading: a heap of so many blocks, of 16 to 176 bytes, one in ten of which is freed
 * again here and there. Says "ready" when it stands, and waits to be killed: others read it (bench/reading).
 *
 *     bench-reading BLOCKS
 */
#define _GNU_SOURCE
#include "workloads/bench.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LEAST = 16, SPREAD = 161, FREED = 10 };

int main(int argc, char **argv)
{
    size_t blocks = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, freed = 0;
    if (!blocks) {
        fputs("usage: bench-reading BLOCKS\n", stderr);
        return 2;
    }
    size_t room = (blocks / FREED + 1) * 2 * sizeof(void *); /* far more than chance makes of it */
    void **to_free = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (to_free == MAP_FAILED) return 1;
    uint64_t random = 1;
    for (size_t i = 0; i < blocks; i++) {
        uint64_t r = bench_random(&random);
        char *block = malloc(LEAST + r % SPREAD);
        if (!block) return 1;
        block[0] = 1;
        if ((r >> 32) % FREED == 0 && (freed + 1) * sizeof(void *) < room) to_free[freed++] = block;
    }
    for (size_t i = 0; i < freed; i++) free(to_free[i]);
    munmap(to_free, room);
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
