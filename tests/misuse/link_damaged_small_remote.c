/*
 * link_damaged_small_remote - after another thread freed the block letters are written to it; then its owner takes
 * it back.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(SMALL);

    in_thread(free_in_thread, p);
    memset(hide(p), 0x41, 16);
    misuse_expect(DAMAGED_LINK, NULL, ANY_SIZE, ANYWHERE);
    take_many(SMALL, 20000);
}
