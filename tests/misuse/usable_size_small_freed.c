/* usable_size_small_freed - malloc_usable_size of a block that is free. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    hide((void *)malloc_usable_size(p));
}
