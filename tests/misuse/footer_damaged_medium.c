/*
 * footer_damaged_medium - the last 8 bytes of a free chunk, which say where it begins, are overwritten; then the
 * chunk behind it is freed.
 */
#include "misuse.h"

void misuse_act(void)
{
    char *wall = get(MEDIUM_UNCACHED);
    char *a = get(MEDIUM_UNCACHED);
    char *b = get(MEDIUM_UNCACHED);
    char *end = get(MEDIUM_UNCACHED);
    size_t usable = malloc_usable_size(a);

    release(a);
    memset(hide(a + usable - 8), 0x41, 8);
    misuse_expect(DAMAGED_LINK "|" DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    release(b);
    release(wall);
    release(end);
}
