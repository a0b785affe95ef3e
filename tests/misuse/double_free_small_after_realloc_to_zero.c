/* double_free_small_after_realloc_to_zero - realloc(p, 0) has freed the block already. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);
    size_t size = malloc_usable_size(p);

    (void)!realloc(p, (size_t)hide(NULL));
    misuse_expect(DOUBLE_FREE, p, size, IN_A_SLAB);
    release(hide(p));
}
