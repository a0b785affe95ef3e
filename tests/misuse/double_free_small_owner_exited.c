/*
 * double_free_small_owner_exited - the thread that allocated the block has exited; its memory is abandoned or
 * adopted.
 */
#include "misuse.h"

void misuse_act(void)
{
    union {
        size_t size;
        void *block;
    } of_thread = {.size = SMALL};

    in_thread(malloc_in_thread, &of_thread);
    misuse_expect(DOUBLE_FREE, of_thread.block, malloc_usable_size(of_thread.block), ANYWHERE);
    release(of_thread.block);
    release(of_thread.block);
}
