/* realloc_wild - realloc of an address in no heap. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)0x123450);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    hide(realloc(p, SMALL));
}
