/* double_free_small_abab - the classic that fools a check of the list's head alone: a, b, a. */
#include "misuse.h"

void misuse_act(void)
{
    void *a = get(SMALL);
    void *b = get(SMALL);

    misuse_expect(DOUBLE_FREE, a, malloc_usable_size(a), IN_A_SLAB);
    release(a);
    release(b);
    release(a);
}
