/* free_before_small - an address 16 bytes below a block, as of one that keeps a header of its own in front, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(NEVER_OURS "|" INSIDE, p - 16, ANY_SIZE, IN_A_SLAB);
    release(hide(p - 16));
}
