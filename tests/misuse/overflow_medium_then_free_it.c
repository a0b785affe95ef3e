/*
 * overflow_medium_then_free_it - 8 bytes beyond the end of a chunk are overwritten; then that chunk itself is
 * freed, whose neighbour's header it needs.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *a = get(MEDIUM_UNCACHED);
    char *b = get(MEDIUM_UNCACHED);
    size_t usable = malloc_usable_size(a);

    memset(hide(a), 0x41, usable + 8);
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(a));
    release(b);
}
