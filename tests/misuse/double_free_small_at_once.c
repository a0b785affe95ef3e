/* double_free_small_at_once - the block goes back twice in a row. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    release(p);
}
