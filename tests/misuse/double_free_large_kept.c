/* double_free_large_kept - the size has been in demand, so that the library may have kept the mapping. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = NULL;

    for (int i = 0; i < 50; i++) {
        p = get(LARGE);
        release(p);
    }
    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
}
