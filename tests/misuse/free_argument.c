/* free_argument - an argument of the program, which lies above the stack, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    extern char **environ;
    void *p = hide((void *)((uintptr_t)environ[0] & ~(uintptr_t)15));

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
