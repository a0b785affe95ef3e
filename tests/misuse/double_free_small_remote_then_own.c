/* double_free_small_remote_then_own - another thread frees the block, and then its owner does. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    in_thread(free_in_thread, p);
    release(p);
}
