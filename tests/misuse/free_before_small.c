/* free_before_small - an address just below the first block of a slab, in the slab's own data, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = (char *)((uintptr_t)get(SMALL) & ~(uintptr_t)4095);

    misuse_expect(NEVER_OURS "|" INSIDE, p + 16, ANY_SIZE, ANYWHERE);
    release(hide(p + 16));
}
