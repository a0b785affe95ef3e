/* realloc_small_same_size_freed - realloc of a free block to the size that it had: nothing to do is no excuse. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    hide(realloc(p, SMALL));
}
