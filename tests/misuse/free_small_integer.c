/* free_small_integer - a small number is freed, as when a union holds something else than a pointer. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)16);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
