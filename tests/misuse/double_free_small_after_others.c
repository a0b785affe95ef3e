/*
 * double_free_small_after_others - thousands of frees lie between the two, so that the block has left the thread's
 * cache.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);
    size_t size = malloc_usable_size(p);
    void *kept = get(SMALL);

    release(p);
    churn(SMALL + 32, 3000);
    churn(SMALL - 32, 3000);
    misuse_expect(DOUBLE_FREE, p, size, IN_A_SLAB);
    release(p);
    release(kept);
}
