/* header_damaged_medium_letters - the 8 bytes in front of a chunk become letters; then it is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    *(uint64_t *)hide(p - 8) = 0x4141414141414141;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
