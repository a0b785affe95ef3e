/* free_literal - a string literal is freed. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = hide("a literal of some length");

    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, IN_NO_HEAP);
    release(p);
}
