/*
 * double_free_small_then_malloc - the block was freed and handed out again: the first extra free is one of its new
 * holder, whose own free is the one too many.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);
    size_t size = malloc_usable_size(p);
    void *q;

    release(p);
    q = get(SMALL);
    for (int i = 0; q != p && i < 100000; i++)
        q = get(SMALL);
    release(p);
    misuse_expect(DOUBLE_FREE, q, size, IN_A_SLAB);
    release(q);
}
