/*
 * double_free_large_neighbour - the mapping is gone, and another large block lies just below it, of which it might
 * be the
 * inside but is not.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(LARGE);
    void *q = get(LARGE);

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
    release(p);
    release(q);
}
