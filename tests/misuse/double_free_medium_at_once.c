/* double_free_medium_at_once - a chunk goes back twice in a row. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);

    misuse_expect(DOUBLE_FREE, p, malloc_usable_size(p), IN_A_CHUNK);
    release(p);
    release(p);
}
