/*
 * double_free_medium_trimmed - the break has moved below the chunk, so that its memory may not be there any more.
 */
#include "misuse.h"

void misuse_act(void)
{
    enum { COUNT = 100 };
    void *blocks[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = get(MEDIUM_UNCACHED);
    for (size_t i = 0; i < COUNT; i++)
        release(blocks[i]);
    malloc_trim(0);
    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, blocks[COUNT - 10], ANY_SIZE, ANYWHERE);
    release(blocks[COUNT - 10]);
}
