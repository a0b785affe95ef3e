/*
 * double_free_medium_uncached_at_once - a chunk too large for the thread's store goes back twice; its neighbours
 * are in use.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *before = get(MEDIUM_UNCACHED);
    void *p = get(MEDIUM_UNCACHED);
    void *after = get(MEDIUM_UNCACHED);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    release(p);
    release(before);
    release(after);
}
