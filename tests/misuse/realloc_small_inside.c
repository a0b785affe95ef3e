/* realloc_small_inside - realloc of a pointer into a block. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(INSIDE, p + 16, malloc_usable_size(p), IN_A_SLAB);
    hide(realloc(p + 16, 2 * SMALL));
}
