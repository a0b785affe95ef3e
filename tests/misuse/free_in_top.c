/* free_in_top - an address in the wilderness, which nobody has got yet, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = NULL;

    for (int i = 0; i < 50; i++)
        p = get(MEDIUM_UNCACHED);
    p += 2 * MEDIUM_UNCACHED + 48;
    p = (char *)((uintptr_t)p & ~(uintptr_t)15);
    misuse_expect(DOUBLE_FREE "|" NEVER_OURS "|" INSIDE "|" DAMAGED_HEADER, p, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
