/* realloc_large_freed - realloc of a mapping that is gone. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(LARGE);

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
    hide(realloc(p, 2 * LARGE));
}
