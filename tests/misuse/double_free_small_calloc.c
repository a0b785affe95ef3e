/* double_free_small_calloc - a block of calloc, whose second word is zero, is freed twice. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide(calloc(1, SMALL));

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    release(p);
}
