/*
 * overflow_medium_by_one - one byte beyond the end of a chunk is set to zero, the terminator of a string that was
 * one too long.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *a = get(MEDIUM_UNCACHED);
    char *b = get(MEDIUM_UNCACHED);
    size_t usable = malloc_usable_size(a);

    ((char *)hide(a))[usable] = 0;
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(b));
    release(a);
}
