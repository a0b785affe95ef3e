/* free_inside_medium_misaligned - a pointer 8 bytes into a chunk is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    misuse_expect(INSIDE, p + 8, ANY_SIZE, IN_A_CHUNK);
    release(hide(p + 8));
}
