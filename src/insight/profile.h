/*
 * profile.h - sampled profiles and sites, as api turns them on.
 *
 * Layer: insight.
 */
#ifndef FH_PROFILE_H
#define FH_PROFILE_H

#include "base.h"

/* Turns on what the options ask for in this process, once they are read. */
void fh_profile_start(void);
/* In a forked child: the profile is this process's from now on, and goes into a file of its own. */
void fh_profile_after_fork(void);
/* At exit: writes the file, if there is to be one. */
void fh_profile_end(void);

/* Writes the profile in pprof's format; false when the descriptor does not take it, or there is no memory. */
bool fh_pprof_write(int fd);

#endif
