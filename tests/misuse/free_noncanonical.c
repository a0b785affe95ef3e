/* free_noncanonical - an address that no processor takes is freed: letters where a pointer should be. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)0x4141414141414140);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
