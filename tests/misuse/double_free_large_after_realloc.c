/* double_free_large_after_realloc - realloc made a mapping a small block; the old pointer is freed as well. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(LARGE);
    void *q = hide(realloc(p, SMALL));

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(hide(p));
    release(q);
}
