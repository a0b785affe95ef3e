/*
 * plan_make.h - making a plan (plan.h) from a trace.
 */
#ifndef FREEHOLD_TOOL_PLAN_MAKE_H
#define FREEHOLD_TOOL_PLAN_MAKE_H

#include "plan.h"
#include "trace_read.h"

/* Writes the plan to `fd`. Returns false after a message: of the trace (named `path`), or of the disk. */
bool fh_plan_make(const char *verb, struct fh_trace_reader *reader, const char *path, int fd,
                  struct fh_plan_header *header);

#endif
