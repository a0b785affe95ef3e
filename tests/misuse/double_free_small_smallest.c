/*
 * double_free_small_smallest - the same for the smallest block, which has room for link and mark and nothing else.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(1);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    release(p);
}
