/*
 * double_free_small_slab_gone - all blocks of its slab are free, the slab itself has been given up and trimmed.
 * Nobody can know any more that there was a block.
 */
#include "misuse.h"

void misuse_act(void)
{
    enum { COUNT = 5000 };
    static void *blocks[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = get(SMALL);
    for (size_t i = 0; i < COUNT; i++)
        release(blocks[i]);
    malloc_trim(0);
    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, blocks[COUNT / 2], ANY_SIZE, ANYWHERE);
    release(blocks[COUNT / 2]);
}
