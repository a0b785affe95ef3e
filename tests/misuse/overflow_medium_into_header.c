/*
 * overflow_medium_into_header - 8 bytes beyond the end of a chunk are overwritten; then the chunk behind it is
 * freed.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *a = get(MEDIUM_UNCACHED);
    char *b = get(MEDIUM_UNCACHED);
    size_t usable = malloc_usable_size(a);

    memset(hide(a), 0x41, usable + 8);
    misuse_expect(DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(hide(b));
    release(a);
}
