/*
 * link_damaged_small_pointer - after the block was freed a pointer to another block is written to its first word;
 * then it is handed out again.
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
    *(void **)hide(b) = hide(wall);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
    release(wall);
    release(middle);
    release(end);
}
