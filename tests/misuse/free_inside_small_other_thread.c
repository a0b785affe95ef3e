/* free_inside_small_other_thread - another thread frees a pointer into a block. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    misuse_expect(INSIDE, p + 32, malloc_usable_size(p), IN_A_SLAB);
    in_thread(free_in_thread, hide(p + 32));
}
