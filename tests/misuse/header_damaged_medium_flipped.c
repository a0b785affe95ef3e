/* header_damaged_medium_flipped - one bit of the size in front of a chunk is flipped; then it is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    *(uint64_t *)hide(p - 8) ^= 64;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
