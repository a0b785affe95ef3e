/* free_minus_one - MAP_FAILED is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)-1);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
