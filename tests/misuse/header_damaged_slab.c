/*
 * header_damaged_slab - the bytes at the start of a slab are overwritten, as by an underflow of its first block;
 * then its blocks are freed.
 */
#include "misuse.h"

void misuse_act(void)
{
    enum { COUNT = 2000 };
    static void *blocks[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = get(SMALL);
    for (size_t i = 0; i < COUNT; i++)
        if ((uintptr_t)blocks[i] % 4096 < 64 + 2 * SMALL)
            memset(hide((void *)((uintptr_t)blocks[i] & ~(uintptr_t)4095)), 0x41, 64);
    misuse_expect(DAMAGED_SLAB "|" DAMAGED_HEADER, NULL, ANY_SIZE, ANYWHERE);
    for (size_t i = 0; i < COUNT; i++)
        release(blocks[i]);
    malloc_trim(0);
}
