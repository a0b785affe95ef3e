/* free_own_mapping - a mapping that the program has made itself is freed. */
#include "misuse.h"

#include <sys/mman.h>

void misuse_act(void)
{
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, 0x41, 4096);
    misuse_expect(NEVER_OURS, p + 16, UNKNOWN_SIZE, IN_NO_HEAP);
    release(hide(p + 16));
}
