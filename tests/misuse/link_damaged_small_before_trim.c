/*
 * link_damaged_small_before_trim - after the block was freed letters are written to it; then the heap is trimmed,
 * which empties the caches.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    release(p);
    memset(hide(p), 0x41, 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    malloc_trim(0);
    take_many(SMALL, 20000);
}
