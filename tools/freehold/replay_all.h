/*
 * replay_all.h - a trace made into a plan, and replayed on one allocator after another.
 */
#ifndef FREEHOLD_TOOL_REPLAY_ALL_H
#define FREEHOLD_TOOL_REPLAY_ALL_H

#include "replay_print.h"

enum { FH_REPLAY_ALLOCATORS_MOST = 16 };

struct fh_replays {
    struct fh_replay replay; /* of the others */
    struct fh_plan_header plan;
    struct fh_replay_allocator allocators[FH_REPLAY_ALLOCATORS_MOST];
    struct fh_replay_result results[FH_REPLAY_ALLOCATORS_MOST];
};

/* `with`: a list of allocators by commas. `kept_plan`: write the plan to this file and replay nothing; NULL: no. 0, or
 * an exit status after a message; fh_replays_free is due in any case. */
int fh_replay_all(const char *verb, struct fh_trace_reader *reader, const char *trace, const char *with,
                  const char *kept_plan, struct fh_replays *replays);
void fh_replays_free(struct fh_replays *replays);

#endif
