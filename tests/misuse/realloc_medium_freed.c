/* realloc_medium_freed - realloc of a chunk that is free. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    hide(realloc(p, 2 * MEDIUM));
}
