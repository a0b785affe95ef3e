/*
 * replay_run.h - one replay of a plan on one allocator: the program freehold-replay, started with it preloaded.
 */
#ifndef FREEHOLD_TOOL_REPLAY_RUN_H
#define FREEHOLD_TOOL_REPLAY_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FH_REPLAY_NAME_BYTES = 64 };

struct fh_replay_allocator {
    char name[FH_REPLAY_NAME_BYTES]; /* as the user gave it, without folders */
    char preload[PATH_MAX];          /* empty: the C library's own malloc */
    char provider[PATH_MAX];         /* the file whose malloc it is */
};

struct fh_replay_sample {
    uint64_t ns, ops, rss_bytes, live_bytes;
};

enum fh_replay_call { FH_REPLAY_MALLOC, FH_REPLAY_FREE, FH_REPLAY_REALLOC, FH_REPLAY_CALLS };
enum { FH_REPLAY_PERCENTILES = 5 };
extern const char *const fh_replay_call_names[FH_REPLAY_CALLS];
extern const char *const fh_replay_percentile_names[FH_REPLAY_PERCENTILES]; /* "p50" ... "max" */

struct fh_replay_latency {
    uint64_t count;
    double ns[FH_REPLAY_PERCENTILES];
};

struct fh_replay_result {
    double wall_ns, cpu_ns;
    uint64_t operations, failures, own_bytes;
    uint64_t peak_rss_bytes, final_rss_bytes;
    uint64_t live_at_peak_bytes; /* the most at any sample within 2 % of the peak */
    struct fh_replay_latency latency[FH_REPLAY_CALLS];
    struct fh_replay_sample *samples;
    size_t sample_count;
};

/* freehold-replay's file: beside this program, or where the installation puts it. 0, or an exit status after a message.
 */
int fh_replay_find_program(char path[PATH_MAX]);

/* What to preload for "glibc", "freehold", a path, a library's name or an allocator's short one; and that it works. 0,
 * or an exit status after a message. */
int fh_replay_find_allocator(const char *program, const char *text, struct fh_replay_allocator *allocator);

/* Both runs, for time and memory and for latencies. 0, or an exit status after a message. */
int fh_replay_run(const char *program, const struct fh_replay_allocator *allocator, const char *plan,
                  struct fh_replay_result *result);

#endif
