/*
 * header_damaged_medium_plausible - the 8 bytes in front of a chunk become what would be a good header in another
 * malloc; then it is freed.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    *(uint64_t *)hide(p - 8) = 0x1011;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
