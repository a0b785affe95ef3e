/* free_inside_small - a pointer 16 bytes into a block is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(INSIDE, p + 16, malloc_usable_size(p), IN_A_SLAB);
    release(hide(p + 16));
}
