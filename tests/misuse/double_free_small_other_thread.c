/* double_free_small_other_thread - the second free comes from another thread. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(SMALL);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_SLAB);
    release(p);
    in_thread(free_in_thread, p);
}
