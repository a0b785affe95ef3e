/*
 * link_damaged_medium_uncached_self - after the block was freed its own address is written to its first word; then
 * it is handed out again.
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
    *(void **)hide(b) = hide(b);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(MEDIUM_UNCACHED, 100);
    release(wall);
    release(middle);
    release(end);
}
