/* free_inside_small_misaligned - a pointer one byte into a block is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(INSIDE, p + 1, malloc_usable_size(p), IN_A_SLAB);
    release(hide(p + 1));
}
