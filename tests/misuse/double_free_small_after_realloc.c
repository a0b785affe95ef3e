/* double_free_small_after_realloc - realloc moved the block and freed it; the old pointer is freed as well. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);
    size_t size = malloc_usable_size(p);
    void *q = hide(realloc(p, MEDIUM));

    misuse_expect(DOUBLE_FREE, p, size, IN_A_SLAB);
    release(hide(p));
    release(q);
}
