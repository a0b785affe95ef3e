/*
 * verb_report.c - `freehold report`: one page with everything that is known of a heap, to be sent to somebody.
 */
#include "cli.h"
#include "html.h"
#include "replay_all.h"
#include "report.h"
#include "units.h"
#include "verbs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

enum { PIN_ROWS = 12, CELLS_MOST = 8192 };

struct request {
    char *words[FH_MAP_FRAMES_MOST]; /* process ids, snapshots, cores */
    size_t count;
    const char *trace, *file, *with;
};

/* Everything that the page is made of; what is not there is NULL. */
struct material {
    struct fh_map *map;
    struct fh_image *image; /* the last one */
    struct fh_explanation explanation;
    struct fh_pins_report pins;
    struct fh_trace_reader reader;
    struct fh_replays replays;
};

static int read_heap(const struct request *request, struct material *material)
{
    struct fh_map_request cells = {.cells_most = CELLS_MOST};
    int status = fh_map_make("report", request->words, request->count, &cells, &material->map);
    if (status != 0) return status;
    const char *last = material->map->frames[material->map->frame_count - 1].word;
    status = fh_image_open("report", last, 0, &material->image);
    if (status != 0) return status;
    if (fh_explain_read(material->image, "report", &material->explanation) &&
        fh_pins_report_open(&material->pins, material->image, "report", PIN_ROWS))
        return 0;
    fh_say("report", "process %s ended while it was read, or memory ran out; a snapshot or a core stays", last);
    return FH_EXIT_FAILED;
}

static int read_trace(const struct request *request, struct material *material)
{
    if (fh_trace_open(&material->reader, request->trace))
        return fh_replay_all("report", &material->reader, request->trace, request->with, NULL, &material->replays);
    fh_say("report", "%s: %s", request->trace, material->reader.error);
    return FH_EXIT_FAILED;
}

/* --- the page --- */

static void put_head(FILE *out, const struct material *material)
{
    const struct fh_map *map = material->map;
    const struct fh_map_frame *last = map ? &map->frames[map->frame_count - 1] : NULL;
    char title[FH_MAP_WORDS], time[FH_MAP_WORDS];
    struct utsname system;
    if (last) fh_map_title(last, title);
    fh_html_begin(out, last ? title : "freehold report");
    fprintf(out, "<style>\n%s</style>\n<main class=\"report\">\n<h1>", fh_page_report_css);
    fh_html_text(out, last ? title : material->reader.command);
    fputs("</h1>\n<div class=\"facts\">", out);
    if (last) {
        fprintf(out, "<span>%s</span><span>pages of %zu bytes</span>", fh_map_time(last, time), last->about.page_bytes);
        if (last->about.kind == FH_IMAGE_PROCESS && uname(&system) == 0)
            fprintf(out, "<span>%s %s, %s</span>", system.sysname, system.release, system.machine);
        if (map->frame_count > 1)
            fprintf(out, "<span>%zu snapshots, from %s on; what follows the map is of the last</span>",
                    map->frame_count, fh_map_time(&map->frames[0], time));
    }
    fputs("</div>\n", out);
}

static bool put_heap(FILE *out, struct material *material)
{
    fputs("<section>", out);
    fh_report_put_advice(out, &material->explanation);
    fputs("</section>\n<section><h2>Map</h2>\n", out);
    bool good = fh_map_put_html(material->map, out);
    fputs("</section>\n<section>", out);
    fh_report_put_account(out, &material->explanation);
    fputs("</section>\n<section>", out);
    fh_report_put_pins(out, &material->pins);
    fputs("</section>\n<section>", out);
    fh_report_put_sizes(out, &material->explanation);
    fputs("</section>\n<section>", out);
    fh_report_put_threads(out, material->image);
    fputs("</section>\n<section>", out);
    fh_report_put_heaps(out, &material->explanation.counters);
    fputs("</section>\n<section>", out);
    fh_report_put_options(out, material->image);
    fputs("</section>\n", out);
    return good;
}

static void put_trace(FILE *out, const struct material *material)
{
    const struct fh_replay *replay = &material->replays.replay;
    char calls[FH_UNIT_BYTES];
    fputs("<section><h2>Over time</h2>\n<p>The calls of <span class=\"mono\">", out);
    fh_html_text(out, replay->reader->command);
    fprintf(out, "</span>, as recorded, made again: %s calls, %llu %s, at most %.1f MiB live.</p>\n",
            fh_grouped(replay->plan->calls, calls), (unsigned long long)replay->plan->threads,
            replay->plan->threads == 1 ? "thread" : "threads", (double)replay->plan->peak_live_bytes / (1 << 20));
    fh_replay_put_html(replay, out);
    fputs("</section>\n", out);
}

static int write_page(const struct request *request, struct material *material)
{
    FILE *out = fopen(request->file, "we");
    bool good = true;
    if (out) {
        put_head(out, material);
        if (material->map) good = put_heap(out, material);
        if (request->trace) put_trace(out, material);
        fputs("</main>\n", out);
        fh_html_end(out);
    }
    if (!good) fh_say("report", "out of memory");
    return fh_close_output("report", out, request->file) || !good ? FH_EXIT_FAILED : FH_EXIT_OK;
}

static int report(const struct request *request)
{
    static struct material material;
    int status = request->count ? read_heap(request, &material) : 0;
    if (status == 0 && request->trace) status = read_trace(request, &material);
    if (status == 0) status = write_page(request, &material);
    if (request->trace) {
        fh_replays_free(&material.replays);
        fh_trace_close(&material.reader);
    }
    fh_pins_report_close(&material.pins);
    fh_image_close(material.image);
    fh_map_free(material.map);
    return status;
}

/* --- the command line --- */

static int take_word(struct request *request, char *word)
{
    if (fh_trace_is_trace(word)) {
        if (request->trace) return fh_say_usage("report", "one trace at a time, not '%s' as well", word);
        request->trace = word;
        return 0;
    }
    if (request->count == FH_MAP_FRAMES_MOST)
        return fh_say_usage("report", "at most %d snapshots at a time", FH_MAP_FRAMES_MOST);
    request->words[request->count++] = word;
    return 0;
}

/* What is asked for under another ending would not be what it is. */
static bool ends_in_html(const char *file)
{
    size_t length = strlen(file);
    return length > 5 && strcasecmp(file + length - 5, ".html") == 0;
}

static int report_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"with", required_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct request request = {.with = "freehold,glibc"};
    int option, status = 0;
    do { /* options may also follow */
        while ((option = fh_next_option("report", argc, argv, "+:o:h", options)) != -1) {
            switch (option) {
            case 'o': request.file = optarg; break;
            case 'w': request.with = optarg; break;
            case 'h': fh_help_verb(&fh_verb_report); return fh_finish_output("report");
            default: return FH_EXIT_USAGE;
            }
        }
        if (optind < argc) status = take_word(&request, argv[optind++]);
    } while (status == 0 && optind < argc);
    if (status) return status;
    if (request.count == 0 && !request.trace)
        return fh_say_usage("report", "a process ID, a snapshot, a core file or a trace is missing");
    if (!request.file) return fh_say_usage("report", "-o FILE.html is missing");
    if (!ends_in_html(request.file)) return fh_say_usage("report", "'%s' does not end in .html", request.file);
    return report(&request);
}

const struct fh_verb fh_verb_report = {
    .name = "report",
    .synopsis = "-o FILE.html PID|SNAPSHOT|CORE|TRACE...",
    .summary = "one page with all that is known of a heap, for a ticket",
    .help = "Writes one page that opens from disk and needs no network. Of a heap: what\n"
            "dominates and what to do about it, the map, the account, which blocks keep\n"
            "free memory from going back, size classes, threads, heaps, options. Of several\n"
            "snapshots of one process the map can be moved through time. Of a trace: the\n"
            "resident set over time and how long calls took, on several allocators. A trace\n"
            "and a heap can be on one page. The page has addresses, sizes and names of\n"
            "functions and threads, and nothing of what the program's blocks hold; of a\n"
            "trace also the command line.\n"
            "\n"
            "Options:\n"
            "  -o, --output FILE  the page\n"
            "  --with LIST        allocators to replay a trace on; freehold,glibc if not\n"
            "                     given (see freehold help replay)\n"
            "  -h, --help         show this text\n"
            "\n"
            "Exit status:\n"
            "    0  written\n"
            "    1  it cannot be read or written; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold report -o heap.html $(pidof redis-server)\n",
    .run = report_run,
};
