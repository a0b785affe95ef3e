/*
 * fault.h - what happens when the program's misuse of the heap is seen: one line on standard error, then abort.
 *
 * Layer: guard.
 */
#ifndef FH_FAULT_H
#define FH_FAULT_H

#include "base.h"

enum fh_fault {
#define FH_FAULT(name, words, meaning) FH_FAULT_##name,
#include "faults.def"
#undef FH_FAULT
    FH_FAULT_COUNT
};

/* Where the block lies; the caller fills in what it knows. */
struct fh_place {
    const char *kind;  /* "a slab", "a chunk", "a mapping", "no heap" */
    uintptr_t address; /* of the slab or mapping, 0 where that adds nothing */
    int heap;          /* number, -1 for none */
};

/* `size_bytes` is SIZE_MAX when it can't be known. No lock may be held by the caller. */
void fh_fault(enum fh_fault fault, const void *address, size_t size_bytes, struct fh_place place)
    __attribute__((noreturn, cold));

#endif
