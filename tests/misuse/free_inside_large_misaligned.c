/* free_inside_large_misaligned - a pointer one byte into a mapping is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(LARGE);

    misuse_expect(INSIDE, p + 1, ANY_SIZE, IN_A_MAPPING);
    release(hide(p + 1));
}
