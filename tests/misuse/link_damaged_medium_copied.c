/*
 * link_damaged_medium_copied - after the block was freed the start of another free block is copied to it;
 * then it is handed out again.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *wall = get(MEDIUM);
    char *a = get(MEDIUM);
    char *middle = get(MEDIUM);
    char *b = get(MEDIUM);
    char *end = get(MEDIUM);

    release(a);
    release(b);
    memcpy(hide(b), hide(a), 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(MEDIUM, 3000);
    release(wall);
    release(middle);
    release(end);
}
