/*
 * double_free_medium_coalesced - the chunk was joined with both neighbours: its header lies inside a larger free
 * chunk.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *wall = get(MEDIUM_UNCACHED);
    void *a = get(MEDIUM_UNCACHED);
    void *b = get(MEDIUM_UNCACHED);
    void *c = get(MEDIUM_UNCACHED);
    void *end = get(MEDIUM_UNCACHED);

    misuse_expect(DOUBLE_FREE, b, ANY_SIZE, IN_A_CHUNK);
    release(b);
    release(a);
    release(c);
    release(b);
    release(wall);
    release(end);
}
