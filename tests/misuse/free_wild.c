/* free_wild - an address where nothing is mapped is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)0x123450);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
