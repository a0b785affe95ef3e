/*
 * link_damaged_small_self - after the block was freed its own address is written to its first word; then it is
 * handed out again.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *wall = get(SMALL);
    char *a = get(SMALL);
    char *middle = get(SMALL);
    char *b = get(SMALL);
    char *end = get(SMALL);

    release(a);
    release(b);
    *(void **)hide(b) = hide(b);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
    release(wall);
    release(middle);
    release(end);
}
