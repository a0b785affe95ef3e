/* free_before_small - an address 16 bytes below a block, where others keep a header, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(NEVER_OURS "|" INSIDE, p - 16, ANY_SIZE, IN_A_SLAB);
    release(hide(p - 16));
}
