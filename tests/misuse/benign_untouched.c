/*
 * benign_untouched - memory passes from small blocks to chunks to aligned blocks and back without ever being written to
 * by the program: what the library has left in it at one time must not be mistaken for something at another.
 *
 * A block that comes out of a freed slab holds the words that marked the slab's objects as free, some of them just
 * where
 * the new block's own would stand.
 */
#include "misuse.h"

#define COUNT 6000

static void *blocks[COUNT];

static void fill(size_t least, size_t most, uint64_t *seed)
{
    for (size_t i = 0; i < COUNT; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        blocks[i] = get(least + (size_t)(*seed >> 33) % (most - least + 1));
    }
}

/* Frees all: forwards, backwards or every second one first. */
static void empty(unsigned order)
{
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = order == 0 ? i : order == 1 ? COUNT - 1 - i : i < COUNT / 2 ? 2 * i : 2 * (i - COUNT / 2) + 1;

        release(blocks[at]);
    }
}

int main(void)
{
    const size_t ranges[][2] = {{16, 16}, {0, 256}, {257, 1500}, {32, 32}, {300, 300}, {48, 64}, {1000, 9000},
                                {0, 600}};
    const size_t kinds = sizeof ranges / sizeof ranges[0];
    uint64_t seed = 4;

    for (unsigned round = 0; round < 120; round++) {
        const size_t *range = ranges[(round * 5 + round / (unsigned)kinds) % kinds];

        fill(range[0], range[1], &seed);
        empty(round % 3);
        if (round % 10 == 9)
            malloc_trim(0);
        for (size_t i = 0; i < COUNT; i++)
            blocks[i] = hide(i % 2 == 0 ? memalign(32, range[1]) : malloc(range[0] + i % 100));
        empty((round + 1) % 3);
    }
    return 0;
}
