/* double_free_large_other_thread - the second free of a mapping comes from another thread. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(LARGE);

    misuse_expect(DOUBLE_FREE "|" NEVER_OURS, p, ANY_SIZE, ANYWHERE);
    release(p);
    in_thread(free_in_thread, p);
}
