/*
 * helper_pins.c - a heap that live blocks keep from going back: a million blocks of 200 bytes from one call site, freed
 * but for the last one ("last"), or but for one in a thousand that a second call site makes ("some"). Writes the
 * address of the last block to the file that is named next, says "ready", and waits for a signal: SIGUSR1 makes it call
 * malloc_trim(0), and say "trimmed". A third argument is another number of blocks, at most a million.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 1000000, BYTES = 200, ONE_IN = 1000 };

static char *blocks[BLOCKS];
static int count = BLOCKS;

__attribute__((noinline)) static char *make_block(void)
{
    char *block = malloc(BYTES); /* first site */
    memset(block, 1, BYTES);
    return block;
}

static inline __attribute__((always_inline)) char *inlined_maker(void)
{
    char *block = malloc(BYTES); /* second site */
    memset(block, 2, BYTES);
    return block;
}

__attribute__((noinline)) static char *keep_block(void)
{
    char *block = inlined_maker(); /* its caller */
    block[0] = 3;
    return block;
}

static void fill(int some)
{
    for (int i = 0; i < count; i++)
        blocks[i] = some && i % ONE_IN == ONE_IN - 1 ? keep_block() : make_block();
    for (int i = 0; i < count - 1; i++) {
        if (!some || i % ONE_IN != ONE_IN - 1)
            free(blocks[i]);
    }
}

static int say(const char *word) { return write(STDOUT_FILENO, word, strlen(word)) == (ssize_t)strlen(word); }

int main(int argc, char **argv)
{
    sigset_t set;
    int number;
    if (argc < 3)
        return 2;
    if (argc > 3 && (count = atoi(argv[3])) < 1)
        return 2;
    if (count > BLOCKS)
        return 2;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    FILE *file = fopen(argv[2], "w"); /* its buffer is made first, and lies below the others */
    if (!file)
        return 2;
    fprintf(file, "0x");
    fill(strcmp(argv[1], "some") == 0);
    fprintf(file, "%012lx\n", (unsigned long)blocks[count - 1]);
    if (fclose(file) != 0 || !say("ready\n"))
        return 1;
    for (;;) {
        if (sigwait(&set, &number) == 0 && malloc_trim(0) >= 0 && !say("trimmed\n"))
            return 1;
    }
}
