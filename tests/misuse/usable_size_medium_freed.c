/* usable_size_medium_freed - malloc_usable_size of a chunk that is free. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    hide((void *)malloc_usable_size(p));
}
