/* double_free_medium_remote_then_own - another thread frees the chunk and ends, then its owner frees it. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    in_thread(free_in_thread, p);
    release(p);
}
