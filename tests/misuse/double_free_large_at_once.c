/*
 * double_free_large_at_once - the mapping is gone when it is freed again: nothing is known of the address any
 * more.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(LARGE);

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
    release(p);
}
