/* free_inside_medium - a pointer into a chunk is freed; zeros lie in front of it. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    memset(p, 0, MEDIUM);
    misuse_expect(INSIDE, p + 512, ANY_SIZE, IN_A_CHUNK);
    release(hide(p + 512));
}
