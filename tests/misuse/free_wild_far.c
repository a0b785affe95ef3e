/* free_wild_far - an address at the far end of the address space is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)0x00007ffffffff000);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
