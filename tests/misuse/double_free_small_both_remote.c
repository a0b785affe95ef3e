/*
 * double_free_small_both_remote - two other threads free the block, one after the other; the owner has not heard
 * of either.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    in_thread(free_in_thread, p);
    in_thread(free_in_thread, p);
}
