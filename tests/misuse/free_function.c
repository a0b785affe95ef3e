/* free_function - a function is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide((void *)(uintptr_t)misuse_act);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
