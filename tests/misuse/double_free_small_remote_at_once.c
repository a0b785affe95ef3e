/*
 * double_free_small_remote_at_once - another thread frees the block twice in a row: it stands in that thread's
 * batch for the owner.
 */
#include "misuse.h"

static void *twice(void *p)
{
    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    release(p);
    return NULL;
}

void misuse_act(void)
{
    in_thread(twice, get(SMALL));
}
