/* realloc_medium_uncached_freed - realloc of a chunk that is on a free list of its heap. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM_UNCACHED);
    void *end = get(MEDIUM_UNCACHED);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    hide(realloc(p, 2 * MEDIUM));
    release(end);
}
