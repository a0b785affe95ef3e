/* free_noncanonical_high - an address of the kernel's half is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)0xffff800000001000);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
