/*
 * subject.c - a process whose heap is looked at by gdb: blocks of each kind, and their addresses in variables that are
 * found without debug information. Stops itself by abort(), so that gdb has it, and a core can be had.
 *
 *   subject          a sound heap        subject tag      a chunk's tag is overwritten
 *   subject link     the link of a freed object of a slab is overwritten
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *subject_small, *subject_freed_small, *subject_chunk, *subject_freed_chunk, *subject_large;
static void *kept[6000];

static void *other(void *nothing)
{
    for (int i = 0; i < 2000; i++)
        kept[4000 + i] = malloc((size_t)i % 600 + 1);
    for (int i = 0; i < 2000; i += 3)
        free(kept[4000 + i]);
    return nothing;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    setvbuf(stdout, NULL, _IONBF, 0); /* no buffer that takes one of the blocks */
    for (int i = 0; i < 4000; i++)
        kept[i] = malloc((size_t)i * 7 % 3000 + 1);
    for (int i = 0; i < 4000; i += 2)
        free(kept[i]);
    if (pthread_create(&thread, NULL, other, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 2;
    subject_small = malloc(40);
    subject_freed_small = malloc(40);
    subject_chunk = malloc(5000);
    subject_freed_chunk = malloc(100000);
    void *between = malloc(90000);
    subject_large = malloc(3000000);
    if (!between || !subject_large)
        return 2;
    free(subject_freed_small);
    free(subject_freed_chunk);
    printf("small %p freed_small %p chunk %p freed_chunk %p large %p\n", subject_small, subject_freed_small,
           subject_chunk, subject_freed_chunk, subject_large);
    if (argc > 1 && strcmp(argv[1], "tag") == 0)
        memset((char *)subject_chunk - 8, 'A', 8);
    if (argc > 1 && strcmp(argv[1], "link") == 0)
        memset(subject_freed_chunk, 'A', 8);
    abort();
}
