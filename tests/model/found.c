/*
 * found.c - what the model has found, each as small as it gets; the argument says which.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Blocks that the program never writes to, where objects of a slab were freed before: their marks were still there, and
 * free took the block for a free one. */
static void unwritten_over_slab(void)
{
    enum { BLOCKS = 20000, ROUNDS = 16 };
    static void *blocks[BLOCKS];
    for (size_t round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(16 + 16 * round);
        for (int i = BLOCKS; i-- > 0;) free(blocks[i]);
        malloc_trim(0x7fffff); /* empties the thread's cache, and keeps the top as it is */
        for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(257 + 16 * round);
        for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    }
}

/* No bytes, on a large alignment: the pointer lay behind the end of its mapping. */
static void aligned_nothing(void)
{
    for (size_t alignment = 16; alignment <= (size_t)1 << 24; alignment *= 2) {
        void *block = memalign(alignment, 0);
        memset(block, 0, malloc_usable_size(block));
        free(block);
    }
}

/* The inside of a block whose mapping has nothing below it: the search for the block's start left the mapping. */
static void inside_of_lowest(void)
{
    char line[128] = "", *block = NULL;
    int ends[2];
    for (int i = 0; i < 4; i++) block = malloc(1 << 20); /* the kernel places mappings downwards */
    if (pipe(ends) != 0) exit(2);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        free(block + 8192);
        _exit(0);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], line, sizeof line - 1) < 0) exit(2);
    waitpid(child, NULL, 0);
    if (strstr(line, "freehold: free of the inside of a block: ") == line) return;
    fprintf(stderr, "free said '%s'\n", line);
    exit(1);
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } found[] = {{"unwritten_over_slab", unwritten_over_slab}, {"aligned_nothing", aligned_nothing},
                 {"inside_of_lowest", inside_of_lowest}};
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        if (count == 2 && strcmp(arguments[1], found[i].name) == 0) {
            found[i].run();
            return 0;
        }
    fprintf(stderr, "%s: name one that this file has\n", arguments[0]);
    return 2;
}
