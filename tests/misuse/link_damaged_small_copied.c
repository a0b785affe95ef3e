/*
 * link_damaged_small_copied - after the block was freed the start of another free block is copied to it; then
 * it is handed out again.
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
    memcpy(hide(b), hide(a), 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
    release(wall);
    release(middle);
    release(end);
}
