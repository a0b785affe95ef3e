/* header_damaged_medium_realloc - the 8 bytes in front of a chunk are overwritten; then it is resized. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    *(uint64_t *)hide(p - 8) = 0x4141414141414141;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    hide(realloc(hide(p), 2 * MEDIUM));
}
