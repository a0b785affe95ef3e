/* double_free_medium_after_others - many chunks were freed between the two. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);
    void *after = get(MEDIUM);

    release(p);
    churn(MEDIUM + 500, 100);
    churn(MEDIUM_UNCACHED, 20);
    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(p);
    release(after);
}
