/* double_free_medium_aligned - a chunk of memalign, whose start was cut off, is freed twice. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide(memalign(4096, MEDIUM));

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    release(p);
}
