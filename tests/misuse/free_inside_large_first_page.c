/* free_inside_large_first_page - a pointer 16 bytes into a mapping is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(LARGE);

    misuse_expect(INSIDE, p + 16, ANY_SIZE, IN_A_MAPPING);
    release(hide(p + 16));
}
