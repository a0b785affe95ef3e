/*
 * verb_replay.c - `freehold replay`: the calls of a trace made again, on one allocator after another.
 */
#include "cli.h"
#include "plan_make.h"
#include "replay_print.h"
#include "replay_run.h"
#include "trace_stat.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALLOCATORS_MOST = 16 };

struct request {
    const char *trace, *with, *html, *plan;
    bool json, stat;
};

/* A scratch file that goes when the last of us has closed it, or the one that the user wants to keep. */
static int open_plan(const char *kept)
{
    char name[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    int fd;

    if (kept) {
        fd = open(kept, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
            fh_say("replay", "%s: cannot be written: %s", kept, strerror(errno));
        return fd;
    }
    snprintf(name, sizeof(name), "%s/freehold-plan-XXXXXX", folder && *folder ? folder : "/tmp");
    fd = mkstemp(name); /* freehold-replay inherits it */
    if (fd < 0)
        fh_say("replay", "cannot make a scratch file in %s: %s; TMPDIR names another place for it",
               folder && *folder ? folder : "/tmp", strerror(errno));
    else
        unlink(name);
    return fd;
}

static void progress(const char *what, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-60s\r%s%s", "", what, name);
}

static int find_allocators(const char *program, const char *with, struct fh_replay_allocator *allocators,
                           size_t *count)
{
    char *list = strdup(with), *rest = list;
    int status = list ? 0 : FH_EXIT_FAILED;
    for (char *word; status == 0 && (word = strsep(&rest, ",")) != NULL;) {
        if (*word == '\0')
            continue;
        if (*count == ALLOCATORS_MOST)
            status = fh_say_usage("replay", "at most %d allocators at a time", ALLOCATORS_MOST);
        else
            status = fh_replay_find_allocator(program, word, &allocators[(*count)++]);
    }
    free(list);
    if (status == 0 && *count == 0)
        return fh_say_usage("replay", "--with names no allocator");
    return status;
}

static int run_all(const struct request *request, struct fh_trace_reader *reader,
                   const struct fh_plan_header *header, int plan)
{
    static struct fh_replay_allocator allocators[ALLOCATORS_MOST];
    static struct fh_replay_result results[ALLOCATORS_MOST];
    char program[PATH_MAX], plan_path[64];
    struct fh_replay replay = {.path = request->trace,
                               .reader = reader,
                               .plan = header,
                               .allocators = allocators,
                               .results = results};

    int status = fh_replay_find_program(program);
    if (status == 0)
        status = find_allocators(program, request->with, allocators, &replay.count);
    snprintf(plan_path, sizeof(plan_path), "/proc/self/fd/%d", plan);
    for (size_t i = 0; status == 0 && i < replay.count; i++) {
        progress("replaying on ", allocators[i].name);
        status = fh_replay_run(program, &allocators[i], plan_path, &results[i]);
    }
    progress("", "");
    if (status == 0 && request->json)
        fh_replay_print_json(&replay);
    else if (status == 0)
        fh_replay_print_text(&replay);
    if (status == 0 && request->html)
        status = fh_replay_write_html(&replay, request->html);
    for (size_t i = 0; i < replay.count; i++)
        free(results[i].samples);
    return status ? status : fh_finish_output("replay");
}

static int replay(const struct request *request, struct fh_trace_reader *reader)
{
    struct fh_plan_header header;
    int plan = open_plan(request->plan);
    if (plan < 0)
        return FH_EXIT_FAILED;
    progress("reading ", request->trace);
    bool made = fh_plan_make("replay", reader, request->trace, plan, &header);
    progress("", "");
    if (made && !reader->is_complete)
        fh_say("replay", "%s: %s; replaying the %llu events before", request->trace,
               reader->is_cut ? "cut off within a block" : "without its end: the process was killed or still runs",
               (unsigned long long)reader->events);
    int status = !made ? FH_EXIT_FAILED : request->plan ? 0 : run_all(request, reader, &header, plan);
    close(plan);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"with", required_argument, NULL, 'w'},
        {"json", no_argument, NULL, 'j'},
        {"html", required_argument, NULL, 'H'},
        {"stat", no_argument, NULL, 's'},
        {"plan", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct fh_trace_reader reader;
    struct request request = {.with = "freehold,glibc"};
    int option, status;

    for (int words = 0;;) { /* options may follow the trace's name */
        while ((option = fh_next_option("replay", argc, argv, "+:h", options)) != -1) {
            switch (option) {
            case 'w': request.with = optarg; break;
            case 'j': request.json = true; break;
            case 'H': request.html = optarg; break;
            case 's': request.stat = true; break;
            case 'p': request.plan = optarg; break;
            case 'h': fh_help_verb(&fh_verb_replay); return fh_finish_output("replay");
            default: return FH_EXIT_USAGE;
            }
        }
        if (optind == argc)
            break;
        if (words++)
            return fh_say_usage("replay", "one trace at a time, not '%s' as well", argv[optind]);
        request.trace = argv[optind++];
    }
    if (!request.trace)
        return fh_say_usage("replay", "a trace is missing; freehold record makes one");
    if (!fh_trace_open(&reader, request.trace)) {
        fh_say("replay", "%s: %s", request.trace, reader.error);
        status = FH_EXIT_FAILED;
    } else {
        status = request.stat ? fh_trace_stat(&reader, request.trace, request.json) : replay(&request, &reader);
    }
    fh_trace_close(&reader);
    return status;
}

const struct fh_verb fh_verb_replay = {
    .name = "replay",
    .synopsis = "TRACE [--with ALLOCATOR,...] [--json] [--html FILE] | --stat",
    .summary = "make the calls of a trace again, on several allocators",
    .help = "Makes the calls that 'freehold record' wrote to TRACE, with as many threads and\n"
            "in the same order where threads depend on each other, once for each allocator,\n"
            "and shows side by side: time, peak and final resident set (of the calls alone),\n"
            "peak over bytes live at the peak, and how long malloc and free took.\n"
            "\n"
            "Options:\n"
            "  --with LIST    the allocators: freehold, glibc, jemalloc, mimalloc, tcmalloc,\n"
            "                 tbbmalloc, or a library's name or path; freehold,glibc if not\n"
            "                 given\n"
            "  --json         the same figures, and resident and live bytes over time\n"
            "  --html FILE    also one page with the resident set over time, for a browser\n"
            "  --stat         replay nothing; say what is in TRACE: calls, threads, sizes,\n"
            "                 lifetimes, the most that was live\n"
            "  --plan FILE    replay nothing; keep what freehold-replay reads, for the bench\n"
            "  -h, --help     show this text\n"
            "\n"
            "Blocks below 128 KiB are written to in every page; of larger ones as many pages\n"
            "as were in memory when the program freed them. Time leaves out the reading of\n"
            "the trace. Latencies are of a second run.\n"
            "\n"
            "Exit status: 0; 1 when the trace or an allocator cannot be used; 2 when the\n"
            "command line is not understood.\n"
            "\n"
            "Example:\n"
            "  freehold replay t --with freehold,glibc,libjemalloc.so.2 --html t.html\n",
    .run = run,
};
