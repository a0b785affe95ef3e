/*
 * link_damaged_medium_second_word - after the block was freed letters are written to its second word; then it is
 * handed out again.
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
    ((uint64_t *)hide(b))[1] = 0x4141414141414141;
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(MEDIUM, 3000);
    release(wall);
    release(middle);
    release(end);
}
