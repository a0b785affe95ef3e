/*
 * link_damaged_small_second_word - after the block was freed letters are written to its second word; then it is
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
    ((uint64_t *)hide(b))[1] = 0x4141414141414141;
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
    release(wall);
    release(middle);
    release(end);
}
