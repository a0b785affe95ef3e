/*
 * double_free_medium_joined_below - the chunk below was free already, so that the chunk disappears into it at
 * once.
 */
#include "misuse.h"

void misuse_act(void)
{
    void *wall = get(MEDIUM_UNCACHED);
    void *a = get(MEDIUM_UNCACHED);
    void *b = get(MEDIUM_UNCACHED);
    void *end = get(MEDIUM_UNCACHED);

    misuse_expect(DOUBLE_FREE, b, ANY_SIZE, IN_A_CHUNK);
    release(a);
    release(b);
    release(b);
    release(wall);
    release(end);
}
