/*
 * trace_stat.h - what is in a trace: `freehold replay --stat`.
 */
#ifndef FREEHOLD_TOOL_TRACE_STAT_H
#define FREEHOLD_TOOL_TRACE_STAT_H

#include "trace_read.h"

/* Reads the whole trace and prints; 0, or an exit status after a message. `path` is its name for people. */
int fh_trace_stat(struct fh_trace_reader *reader, const char *path, bool json);

#endif
