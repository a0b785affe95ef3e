/*
 * link_damaged_medium_uncached_copied - after the block was freed the first word of another free block is copied
 * to it; then it is handed out again.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *wall = get(MEDIUM_UNCACHED);
    char *a = get(MEDIUM_UNCACHED);
    char *middle = get(MEDIUM_UNCACHED);
    char *b = get(MEDIUM_UNCACHED);
    char *end = get(MEDIUM_UNCACHED);

    release(a);
    release(b);
    memcpy(hide(b), hide(a), 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(MEDIUM_UNCACHED, 100);
    release(wall);
    release(middle);
    release(end);
}
