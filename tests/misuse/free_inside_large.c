/* free_inside_large - a pointer to a later page of a mapping is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p = get(LARGE);

    misuse_expect(INSIDE, p + 100000, ANY_SIZE, IN_A_MAPPING);
    release(hide(p + 100000));
}
