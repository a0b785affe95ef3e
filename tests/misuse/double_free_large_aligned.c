/* double_free_large_aligned - a mapping with a large alignment is freed twice. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide(memalign(1 << 20, LARGE));

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
    release(p);
}
