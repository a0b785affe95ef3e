/*
 * proof.h - for the programs that the scripts here compile: is a block really one of freehold's?
 *
 * The declarations are weak, so that the same source can be linked with the library, or be preloaded with it, or run on
 * the system's malloc for comparison.
 */
#ifndef PROOF_H
#define PROOF_H

#include "freehold.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma weak fh_walk
#pragma weak fh_check
#pragma weak fh_version

struct proof_search {
    uintptr_t address;
    size_t size_bytes;
    int found;
};

static int proof_visit(const struct fh_block *block, void *arg)
{
    struct proof_search *search = (struct proof_search *)arg;

    if (block->kind == FH_BLOCK_SLAB || block->address != search->address)
        return 0;
    search->found = block->state == FH_STATE_LIVE && block->size_bytes >= search->size_bytes;
    return 1;
}

/* Ends the program with status 3 unless `block` is a live block of freehold's. Other threads must be at rest. */
static inline void proof_of_block(const void *block, size_t size_bytes)
{
    struct proof_search search = { (uintptr_t)block, size_bytes, 0 };

    if (fh_walk != NULL)
        fh_walk(proof_visit, &search);
    if (!search.found) {
        fprintf(stderr, "proof: a block of %zu bytes is not freehold's%s\n", size_bytes,
                fh_walk == NULL ? ": there is no freehold in this process" : "");
        _exit(3);
    }
}

/* Blocks of every kind: in slabs, chunks of a heap, a mapping. Skipped where PROOF=no is in the environment. */
static inline void proof_of_malloc(void)
{
    static const size_t sizes[] = { 1, 16, 100, 256, 257, 5000, 70000, 131072, 1000000 };
    const char *wanted = getenv("PROOF");

    if (wanted != NULL && strcmp(wanted, "no") == 0)
        return;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = malloc(sizes[i]);
        memset(block, 1, sizes[i]);
        proof_of_block(block, sizes[i]);
        free(block);
    }
}

static inline void proof_violation(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    (void)arg;
    fprintf(stderr, "proof: %s is broken at %#lx: %s\n", invariant, (unsigned long)address, text);
}

/* Ends the program with status 4 if an invariant of the heap is broken. Other threads must be at rest. */
static inline void proof_of_soundness(void)
{
    if (fh_check != NULL && fh_check(proof_violation, NULL) != 0)
        _exit(4);
}

#ifdef __cplusplus
}
#endif

#endif /* PROOF_H */
