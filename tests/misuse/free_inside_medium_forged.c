/*
 * free_inside_medium_forged - a pointer into a chunk is freed; in front of it stands what would be a header in
 * another malloc.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);

    for (size_t i = 0; i + 8 <= MEDIUM; i += 8)
        *(uint64_t *)(void *)(p + i) = 0x211;
    misuse_expect(INSIDE, p + 512, ANY_SIZE, IN_A_CHUNK);
    release(hide(p + 512));
}
