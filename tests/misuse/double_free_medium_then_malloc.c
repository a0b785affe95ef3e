/* double_free_medium_then_malloc - the chunk was handed out again; its new holder's free is the one too many. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM_UNCACHED);
    void *end = get(MEDIUM_UNCACHED);
    void *q;

    release(p);
    q = get(MEDIUM_UNCACHED);
    release(p);
    misuse_expect(DOUBLE_FREE, q == p ? q : p, ANY_SIZE, IN_A_CHUNK);
    release(q == p ? q : p);
    release(end);
}
