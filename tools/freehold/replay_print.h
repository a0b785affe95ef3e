/*
 * replay_print.h - the results of replays side by side: as text, JSON and HTML.
 */
#ifndef FREEHOLD_TOOL_REPLAY_PRINT_H
#define FREEHOLD_TOOL_REPLAY_PRINT_H

#include "plan.h"
#include "replay_run.h"
#include "trace_read.h"

#include <stdio.h>

struct fh_replay {
    const char *path; /* of the trace */
    const struct fh_trace_reader *reader;
    const struct fh_plan_header *plan;
    const struct fh_replay_allocator *allocators;
    const struct fh_replay_result *results;
    size_t count;
};

/* RSS / live bytes at the peak; 0 where nothing was live. */
double fh_replay_fragmentation(const struct fh_replay_result *result);

void fh_replay_print_text(const struct fh_replay *replay);
void fh_replay_print_json(const struct fh_replay *replay);
/* The part of a page with the chart and the tables. */
void fh_replay_put_html(const struct fh_replay *replay, FILE *out);
/* 0, or an exit status after a message. */
int fh_replay_write_html(const struct fh_replay *replay, const char *file);

#endif
