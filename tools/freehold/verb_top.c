/*
 * verb_top.c - `freehold top [PID]`: a process's heap as it changes.
 */
#include "cli.h"
#include "top.h"
#include "verbs.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 80 };

struct request {
    const char *word; /* NULL: the list of processes */
    bool once, json;
    double interval_s;
};

static int once_list(const struct request *request, struct fh_screen *screen)
{
    struct fh_top_list list = {0};
    fh_top_list_read(&list);
    if (request->json) {
        fh_top_list_print_json(&list);
    } else {
        fh_top_list_show(&list, screen, 0, -1);
        fh_screen_print(screen);
    }
    fh_top_list_free(&list);
    return fh_finish_output("top");
}

static int once(const struct request *request)
{
    struct fh_screen screen = {0};
    static struct fh_top top;
    fh_screen_clear(&screen, COLUMNS, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    int status = request->word ? fh_top_open(&top, request->word) : once_list(request, &screen);
    if (request->word && status == 0) {
        fh_top_read(&top, FH_TOP_ACCOUNT, true);
        if (top.has_ended) {
            fh_say("top", "process %s ended while it was read", request->word);
            status = FH_EXIT_FAILED;
        } else if (request->json) {
            fh_top_print_json(&top);
        } else {
            fh_top_show_head(&top, &screen);
            for (int view = 0; view < FH_TOP_VIEWS; view++) {
                fh_screen_line(&screen);
                fh_screen_line(&screen);
                fh_screen_put(&screen, FH_INK_TITLE, "%s", fh_top_view_names[view]);
                fh_top_show(&top, (enum fh_top_view)view, &screen, 0, 0);
            }
            fh_screen_print(&screen);
        }
        fh_top_close(&top);
        if (status == 0)
            status = fh_finish_output("top");
    }
    fh_screen_free(&screen);
    return status;
}

static int live(const struct request *request)
{
    static struct fh_top top;
    if (!request->word)
        return fh_top_run(NULL, request->interval_s);
    int status = fh_top_open(&top, request->word);
    if (status != 0)
        return status;
    status = fh_top_run(&top, request->interval_s);
    fh_top_close(&top);
    return status;
}

static int take_interval(const char *text, double *interval_s)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= 0.1 && value <= 3600))
        return fh_say_usage("top", "--interval takes seconds from 0.1 to 3600, not '%s'", text);
    *interval_s = value;
    return 0;
}

static int top_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"once", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {"interval", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct request request = {.interval_s = 1};
    int option;
    setlocale(LC_CTYPE, "");
    do { /* options may also follow */
        while ((option = fh_next_option("top", argc, argv, "+:h", options)) != -1) {
            switch (option) {
            case 'o':
                request.once = true;
                break;
            case 'j':
                request.json = true;
                break;
            case 'i':
                if (take_interval(optarg, &request.interval_s) != 0)
                    return FH_EXIT_USAGE;
                break;
            case 'h':
                fh_help_verb(&fh_verb_top);
                return fh_finish_output("top");
            default:
                return FH_EXIT_USAGE;
            }
        }
        if (optind < argc && request.word)
            return fh_say_usage("top", "one process or file at a time, not '%s' as well", argv[optind]);
        if (optind < argc)
            request.word = argv[optind++];
    } while (optind < argc);
    if (request.json && !request.once)
        return fh_say_usage("top", "--json goes with --once");
    return request.once ? once(&request) : live(&request);
}

const struct fh_verb fh_verb_top = {
    .name = "top",
    .synopsis = "[OPTION...] [PID|SNAPSHOT|CORE]",
    .summary = "a heap as it changes: account, map, sizes, heaps, threads, sites",
    .help = "Shows the heap of a process while it runs: the account, memory in use and live\n"
            "over time, a map, size classes, heaps, threads, and the call sites that hold\n"
            "most (of a program started with 'freehold run --sites' or '--profile'). The\n"
            "process is not stopped. Without PID: the processes of this user (of all, for\n"
            "root) that run on freehold; enter opens one. Counters may lag by what is in\n"
            "threads' caches; 'freehold explain' counts every block.\n"
            "\n"
            "Keys: 1 to 6 or tab for another view, arrows for another line, space to pause,\n"
            "+ and - for how often, r to read everything now, ? for help, q to leave.\n"
            "\n"
            "Options:\n"
            "  --once        print all views, or the list, as text, and end\n"
            "  --json        with --once: one JSON object, or an array\n"
            "  --interval S  seconds between two readings; 1 without it\n"
            "  -h, --help    show this text\n"
            "\n"
            "Environment:\n"
            "  NO_COLOR      set: no colours\n"
            "\n"
            "Exit status:\n"
            "    0  shown\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold top $(pidof redis-server)\n",
    .run = top_run,
};
