/*
 * helper_pins.c - a heap that live blocks keep from going back: a million blocks of 200 bytes from one call site, freed
 * but for the last one ("last"), or but for one in a thousand that a second call site makes ("some"). Says "ready" and
 * the address of the last block, and waits for a signal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 1000000, BYTES = 200, ONE_IN = 1000 };

static char *blocks[BLOCKS];

__attribute__((noinline)) static char *make_block(void)
{
    char *block = malloc(BYTES); /* line 19 */
    memset(block, 1, BYTES);
    return block;
}

static inline __attribute__((always_inline)) char *inlined_maker(void)
{
    char *block = malloc(BYTES); /* line 26 */
    memset(block, 2, BYTES);
    return block;
}

__attribute__((noinline)) static char *keep_block(void)
{
    char *block = inlined_maker(); /* line 33 */
    block[0] = 3;
    return block;
}

int main(int argc, char **argv)
{
    int some = argc > 1 && strcmp(argv[1], "some") == 0;
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = some && i % ONE_IN == ONE_IN - 1 ? keep_block() : make_block();
    for (int i = 0; i < BLOCKS - 1; i++) {
        if (!some || i % ONE_IN != ONE_IN - 1)
            free(blocks[i]);
    }
    char line[64];
    int length = snprintf(line, sizeof(line), "ready %p\n", (void *)blocks[BLOCKS - 1]);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        return 1;
    close(STDOUT_FILENO);
    for (;;)
        pause();
}
