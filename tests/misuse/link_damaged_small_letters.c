/*
 * link_damaged_small_letters - after the block was freed letters are written to its start; then it is handed out
 * again.
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
    memset(hide(b), 0x41, 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
    release(wall);
    release(middle);
    release(end);
}
