/*
 * ifunc.c - a resolver that allocates. In a program that binds every symbol at start, resolvers run while the program
 * is being relocated: no constructor has run, and the image of the thread-local storage is not copied yet: it is zero.
 */
#include "proof.h"
#include <malloc.h>

static unsigned char *kept, *large;

static int the_answer(void)
{
    return 42;
}

/* Runs before everything else. */
static int (*resolve(void))(void)
{
    unsigned char *blocks[40];

    for (size_t i = 0; i < 40; i++) {
        blocks[i] = malloc(i * 37 + 1);
        for (size_t k = 0; k < i * 37 + 1; k++)
            ((volatile unsigned char *)blocks[i])[k] = (unsigned char)i;
    }
    for (size_t i = 0; i < 40; i += 2)
        free(blocks[i]);
    for (size_t i = 1; i < 40; i += 2)
        free(blocks[i]);
    kept = calloc(1, 100);
    kept = realloc(kept, 300);
    for (int i = 0; i < 300; i++)
        ((volatile unsigned char *)kept)[i] = 7;
    large = malloc(400000);
    for (int i = 0; i < 400000; i += 100)
        ((volatile unsigned char *)large)[i] = 9;
    return the_answer;
}

int answer(void) __attribute__((ifunc("resolve")));

int main(void)
{
    const char *wanted = getenv("PROOF");

    for (int i = 0; i < 300; i++)
        if (kept[i] != 7)
            return 1;
    for (int i = 0; i < 400000; i += 100)
        if (large[i] != 9)
            return 1;
    if (wanted == NULL || strcmp(wanted, "no") != 0) {
        proof_of_block(kept, 300);
        proof_of_block(large, 400000);
        proof_of_malloc();
    }
    kept = realloc(kept, 3000);
    free(kept);
    free(large);
    proof_of_soundness();
    printf("the answer is %d\n", answer());
    return 0;
}
