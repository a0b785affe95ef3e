/*
 * kernel_plain.c - for the model against the product library, which has no gate before the kernel: no storms; the break
 * is refused by a page in its way.
 */
#define _GNU_SOURCE 1
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"

void kernel_refuse_break(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = ((uintptr_t)sbrk(0) + page - 1) / page * page;
    void *block = mmap((void *)end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (block != (void *)end) failed(NULL, "no page can be put in the way of the break");
}

void kernel_calm(void) {}
void kernel_maybe_storm(struct random *random) { (void)random_next(random); }
