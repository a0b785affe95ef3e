/*
 * insight.h - what the insight layer offers to api besides the public header: the account as a message, the check at
 * exit.
 *
 * Layer: insight.
 */
#ifndef FH_INSIGHT_H
#define FH_INSIGHT_H

#include "base.h"
#include "slab.h"

/* Writes the account as a message: to standard error, or to the descriptor that fh_os_keep_stderr gave, if it is still
 * that. */
void fh_account_report(int kept_stderr);

/* Runs every validator, writes each violation to standard error, and aborts if there was one. */
void fh_check_or_abort(void);

/* The segment of any heap that holds the address, and its heap's number; NULL for none. */
struct fh_segment *fh_segment_around(uintptr_t address, uint32_t *heap);

#endif
