/* double_free_medium_after_realloc - realloc moved the chunk to a mapping; the old pointer is freed as well. */
#include "misuse.h"

void misuse_act(void)
{
    void *p = get(MEDIUM);
    void *end = get(MEDIUM);
    void *q = hide(realloc(p, LARGE));

    misuse_expect(DOUBLE_FREE, p, ANY_SIZE, IN_A_CHUNK);
    release(hide(p));
    release(q);
    release(end);
}
