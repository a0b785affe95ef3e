/* header_damaged_large - the bytes in front of a mapping's block are overwritten; then it is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(LARGE);

    memset(hide(p - 16), 0x41, 16);
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(p));
}
