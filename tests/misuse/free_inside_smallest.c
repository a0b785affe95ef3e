/* free_inside_smallest - a pointer 8 bytes into a block of 16 is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(10);

    misuse_expect(INSIDE, p + 8, malloc_usable_size(p), IN_A_SLAB);
    release(hide(p + 8));
}
