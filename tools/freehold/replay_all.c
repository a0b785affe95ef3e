/*
 * replay_all.c - a trace made into a plan, and replayed on one allocator after another.
 */
#include "replay_all.h"

#include "cli.h"
#include "plan_make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A scratch file that goes when the last of us has closed it, or the one that the user wants to keep. */
static int open_plan(const char *verb, const char *kept)
{
    char name[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    int fd;

    if (kept) {
        fd = open(kept, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) fh_say(verb, "%s: cannot be written: %s", kept, strerror(errno));
        return fd;
    }
    snprintf(name, sizeof(name), "%s/freehold-plan-XXXXXX", folder && *folder ? folder : "/tmp");
    fd = mkstemp(name); /* freehold-replay inherits it */
    if (fd < 0)
        fh_say(verb, "cannot make a scratch file in %s: %s; TMPDIR names another place for it",
               folder && *folder ? folder : "/tmp", strerror(errno));
    else unlink(name);
    return fd;
}

static void progress(const char *what, const char *name)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%-60s\r%s%s", "", what, name);
}

static int find_allocators(const char *verb, const char *program, const char *with,
                           struct fh_replay_allocator *allocators, size_t *count)
{
    char *list = strdup(with), *rest = list;
    int status = list ? 0 : FH_EXIT_FAILED;
    for (char *word; status == 0 && (word = strsep(&rest, ",")) != NULL;) {
        if (*word == '\0') continue;
        if (*count == FH_REPLAY_ALLOCATORS_MOST)
            status = fh_say_usage(verb, "at most %d allocators at a time", FH_REPLAY_ALLOCATORS_MOST);
        else status = fh_replay_find_allocator(program, word, &allocators[(*count)++]);
    }
    free(list);
    if (status == 0 && *count == 0) return fh_say_usage(verb, "--with names no allocator");
    return status;
}

static int run_all(const char *verb, const char *with, int plan, struct fh_replays *replays)
{
    char program[PATH_MAX], plan_path[64];
    struct fh_replay *replay = &replays->replay;
    int status = fh_replay_find_program(program);
    if (status == 0) status = find_allocators(verb, program, with, replays->allocators, &replay->count);
    snprintf(plan_path, sizeof(plan_path), "/proc/self/fd/%d", plan);
    for (size_t i = 0; status == 0 && i < replay->count; i++) {
        progress("replaying on ", replays->allocators[i].name);
        status = fh_replay_run(program, &replays->allocators[i], plan_path, &replays->results[i]);
    }
    progress("", "");
    return status;
}

int fh_replay_all(const char *verb, struct fh_trace_reader *reader, const char *trace, const char *with,
                  const char *kept_plan, struct fh_replays *replays)
{
    memset(replays, 0, sizeof(*replays));
    replays->replay = (struct fh_replay){.path = trace,
                                         .reader = reader,
                                         .plan = &replays->plan,
                                         .allocators = replays->allocators,
                                         .results = replays->results};
    int plan = open_plan(verb, kept_plan);
    if (plan < 0) return FH_EXIT_FAILED;
    progress("reading ", trace);
    bool made = fh_plan_make(verb, reader, trace, plan, &replays->plan);
    progress("", "");
    if (made && !reader->is_complete)
        fh_say(verb, "%s: %s; replaying the %llu events before", trace,
               reader->is_cut ? "cut off within a block" : "without its end: the process was killed or still runs",
               (unsigned long long)reader->events);
    int status = !made ? FH_EXIT_FAILED : kept_plan ? 0 : run_all(verb, with, plan, replays);
    close(plan);
    return status;
}

void fh_replays_free(struct fh_replays *replays)
{
    for (size_t i = 0; i < replays->replay.count; i++) free(replays->results[i].samples);
}
