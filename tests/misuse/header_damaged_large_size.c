/*
 * header_damaged_large_size - the size in front of a mapping's block is made larger, so that free would unmap what
 * is somebody else's.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(LARGE);

    ((uint64_t *)hide(p))[-1] += 1 << 20;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
