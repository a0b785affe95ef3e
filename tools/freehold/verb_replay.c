/*
 * verb_replay.c - `freehold replay`: the calls of a trace made again, on one allocator after another.
 */
#include "cli.h"
#include "replay_all.h"
#include "trace_stat.h"
#include "verbs.h"

#include <stddef.h>

struct request {
    const char *trace, *with, *html, *plan;
    bool json, stat;
};

static int replay(const struct request *request, struct fh_trace_reader *reader)
{
    static struct fh_replays replays;
    int status = fh_replay_all("replay", reader, request->trace, request->with, request->plan, &replays);
    if (status == 0 && !request->plan) {
        if (request->json)
            fh_replay_print_json(&replays.replay);
        else
            fh_replay_print_text(&replays.replay);
        if (request->html)
            status = fh_replay_write_html(&replays.replay, request->html);
        status = status ? status : fh_finish_output("replay");
    }
    fh_replays_free(&replays);
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
    .synopsis = "TRACE [OPTION...]",
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
