/* free_foreign_break - memory that the program itself took by sbrk, between two parts of the heap, is freed. */
#include "misuse.h"

void misuse_act(void)
{
    char *p;

    get(MEDIUM_UNCACHED);
    p = sbrk(8192);
    if (p == (void *)-1)
        _exit(45);
    for (int i = 0; i < 100; i++)
        get(MEDIUM_UNCACHED);
    p = (char *)(((uintptr_t)p + 1024) & ~(uintptr_t)15);
    memset(p - 64, 0x41, 128);
    misuse_expect(NEVER_OURS, p, UNKNOWN_SIZE, ANYWHERE);
    release(hide(p));
}
