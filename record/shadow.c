/*
 * shadow.c - which block is at an address: a word for each 16 bytes of address space.
 *
 * Layer: record. A block's word is written by whoever has just allocated it and read and cleared by whoever is about to
 * free it, and the program itself orders those two; so the words need no lock and no atomic operation, and each free
 * knows exactly which allocation it belongs to, without a clock or a counter that all threads share. Leaves are made
 * when first needed and stay. Their cost is half of the heap's address space, touched only where blocks begin.
 */
#include "os.h"
#include "stream.h"

FH_HIDDEN uint64_t *fh_shadow_leaves[FH_SHADOW_LEAVES];

enum { LEAF_BYTES = FH_SHADOW_LEAF_WORDS * sizeof(uint64_t) };

uint64_t *fh_shadow_make(const void *pointer)
{
    size_t number = (uintptr_t)pointer >> FH_SHADOW_LEAF_SHIFT;
    if (number >= FH_SHADOW_LEAVES) return NULL;
    uint64_t *leaf = fh_load_acquire(&fh_shadow_leaves[number]);
    if (!leaf) {
        uint64_t *made = fh_os_map(NULL, LEAF_BYTES), *nothing = NULL;
        if (!made) return NULL;
        if (!fh_cas_acq_rel(&fh_shadow_leaves[number], &nothing, made)) fh_os_unmap(made, LEAF_BYTES);
    }
    return fh_shadow_at(pointer);
}

void fh_shadow_forget(void)
{
    for (size_t i = 0; i < FH_SHADOW_LEAVES; i++) {
        /* Most of the table was never written: to read it all would only map the kernel's page of zeros. */
        uint64_t *leaf = fh_load_relaxed(&fh_shadow_leaves[i]);
        if (leaf) fh_os_discard(leaf, LEAF_BYTES);
    }
}
