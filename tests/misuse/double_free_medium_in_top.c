/* double_free_medium_in_top - the chunk has become part of the top. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = NULL;

    for (int i = 0; i < 20; i++)
        p = get(MEDIUM_UNCACHED);
    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    release(p);
}
