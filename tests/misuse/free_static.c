/* free_static - a static variable is freed. */
#include "misuse.h"

void misuse_act(void)
{
    static char variable[64] __attribute__((aligned(16)));
    void *p = hide(variable + 16);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
