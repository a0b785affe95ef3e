/* double_free_medium_other_thread - the second free of the chunk comes from another thread. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    in_thread(free_in_thread, p);
}
