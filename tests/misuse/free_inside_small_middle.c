/* free_inside_small_middle - a pointer to the middle of a block is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(256);

    misuse_expect(INSIDE, p + 128, malloc_usable_size(p), IN_A_SLAB);
    release(hide(p + 128));
}
