/*
 * forever.c - allocates and frees until somebody kills it, or COUNT times: a ring of blocks.
 *
 *     forever [COUNT]      at the end of COUNT it prints "done"
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static void *ring[1000];
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    for (unsigned long i = 0; !count || i < count; i++) {
        free(ring[i % 1000]);
        ring[i % 1000] = malloc(10 + i * 7919 % 3000);
    }
    return puts("done") < 0;
}
