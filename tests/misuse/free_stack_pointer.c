/* free_stack_pointer - a variable of the running function is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char variable[64] __attribute__((aligned(16))) = "";
    void *p = hide(variable);

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
