/* header_damaged_medium_zero - the 8 bytes in front of a chunk become zero; then it is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    *(uint64_t *)hide(p - 8) = 0;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
