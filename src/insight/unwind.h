/*
 * unwind.h - the call stack of the running thread, from inside malloc.
 *
 * Layer: insight. Takes no lock, allocates nothing, calls nothing that does; may run in a signal handler.
 */
#ifndef FH_UNWIND_H
#define FH_UNWIND_H

#include "base.h"

/* What the walk knows of a frame: where it is and what its caller's frame may be found from. */
struct fh_frame {
    uintptr_t pc; /* a return address, or where a signal came */
    uintptr_t sp; /* the stack pointer there */
    uintptr_t fp; /* the frame pointer register there: rbp, x29 */
    bool exact;   /* pc is an instruction that was about to run, not one behind a call */
};

/* How to get from a frame to its caller's. */
enum fh_place_kind { FH_PLACE_SAME, FH_PLACE_AT_CFA, FH_PLACE_AT_SP, FH_PLACE_AT_FP };
struct fh_unwind_rule {
    bool cfa_of_fp : 1; /* the caller's stack pointer is fp + cfa_offset, else sp + cfa_offset ... */
    bool cfa_deref : 1; /* ... or the word that lies there */
    bool signal : 1;    /* of a signal's trampoline: the caller's pc is exact */
    bool last : 1;      /* there is no caller */
    uint8_t fp_kind;    /* where the caller's fp was saved */
    uint8_t ra_kind;    /* where the return address was; SAME: in the link register */
    int32_t cfa_offset, fp_offset, ra_offset;
};

/* The rule for a pc, from the .eh_frame of the module that is at [map_start, ...) with this .eh_frame_hdr; false when
 * there is none that can be followed. cfi.c. */
bool fh_cfi_find(uintptr_t pc, const uint8_t *eh_frame_hdr, struct fh_unwind_rule *rule);

/* Before the first walk: where the library's own code is, and what the loader has to offer. */
void fh_unwind_init(void);

/* The callers of the library, innermost first, as addresses within the call; *truncated when there may be more. */
unsigned fh_unwind(uint64_t *frames, unsigned most, bool *truncated);

#endif
