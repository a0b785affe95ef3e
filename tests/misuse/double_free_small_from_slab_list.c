/*
 * double_free_small_from_slab_list - the cache was full, so the block stands on its slab's own list when it is
 * freed again.
 */
#include "misuse.h"

void misuse_act(void)
{
    enum { COUNT = 2000 };
    static void *blocks[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = get(SMALL);
    for (size_t i = 0; i < COUNT; i += 2)
        release(blocks[i]);
    misuse_expect(DOUBLE_FREE, blocks[COUNT - 2], malloc_usable_size(blocks[1]), IN_A_SLAB);
    release(blocks[COUNT - 2]);
}
