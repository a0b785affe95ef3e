/* double_free_small_aligned - a small block of memalign is freed twice. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide(memalign(64, 60));

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), ANYWHERE);
    release(p);
    release(p);
}
