/*
 * free_inside_medium_copied_header - a pointer into a chunk is freed; in front of it stands a copy of a real
 * chunk's header, which is good only at its own place.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(MEDIUM);
    char *q = get(512);

    memcpy(p + 512 - 8, hide(q - 8), 8);
    misuse_expect(INSIDE, p + 512, ANY_SIZE, IN_A_CHUNK);
    release(hide(p + 512));
}
