/*
 * verb_pins.c - `freehold pins PID|FILE`: which live blocks keep free memory from going back, and who made them.
 */
#include "cli.h"
#include "image.h"
#include "pins_report.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 10, ROWS_MOST = 100000 };

struct request {
    const char *word;
    size_t rows;
    bool json, stacks;
};

static int show(const struct request *request)
{
    struct fh_image *image;
    struct fh_pins_report report;
    int status = fh_image_open("pins", request->word, 0, &image);
    if (status != 0)
        return status;
    if (!fh_pins_report_open(&report, image, "pins", request->rows)) {
        fh_say("pins", "process %s ended while it was read; a snapshot or a core stays", request->word);
        status = FH_EXIT_FAILED;
    } else {
        report.whole_stacks = request->stacks;
        if (request->json)
            fh_pins_print_json(&report);
        else
            fh_pins_print(&report);
        status = fh_finish_output("pins");
    }
    fh_pins_report_close(&report);
    fh_image_close(image);
    return status;
}

static int take_rows(const char *text, size_t *rows)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value > ROWS_MOST)
        return fh_say_usage("pins", "--rows takes a number from 0 to %d, not '%s'", ROWS_MOST, text);
    *rows = value;
    return 0;
}

static int pins_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"rows", required_argument, NULL, 'r'},
        {"stacks", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct request request = {.rows = ROWS};
    int option;
    do { /* options may also follow */
        while ((option = fh_next_option("pins", argc, argv, "+:h", options)) != -1) {
            switch (option) {
            case 'j':
                request.json = true;
                break;
            case 's':
                request.stacks = true;
                break;
            case 'r':
                if (take_rows(optarg, &request.rows) != 0)
                    return FH_EXIT_USAGE;
                break;
            case 'h':
                fh_help_verb(&fh_verb_pins);
                return fh_finish_output("pins");
            default:
                return FH_EXIT_USAGE;
            }
        }
        if (optind < argc && request.word)
            return fh_say_usage("pins", "one process or file at a time, not '%s' as well", argv[optind]);
        if (optind < argc)
            request.word = argv[optind++];
    } while (optind < argc);
    if (!request.word)
        return fh_say_usage("pins", "a process ID, a snapshot or a core file is missing");
    return show(&request);
}

const struct fh_verb fh_verb_pins = {
    .name = "pins",
    .synopsis = "[OPTION...] PID|SNAPSHOT|CORE",
    .summary = "which live blocks keep free memory from going back, and who made them",
    .help = "Free memory goes back to the kernel by whole pages, and the break of a heap\n"
            "only moves down over what has no live block. This verb finds the blocks that\n"
            "stand in the way: of each free byte in memory it says what holds it, and sums\n"
            "that up by block, call site, size and thread. The process is not stopped.\n"
            "\n"
            "  page    live blocks on the same page, in equal parts\n"
            "  slab    live objects of the same slab, whose page has none\n"
            "  chunk   the next live block above free pages\n"
            "  top     the same, of the highest free pages of a heap\n"
            "  caches  freed blocks that threads keep for their next malloc\n"
            "  kept    nothing: kept for the next requests\n"
            "\n"
            "Call sites and ages are known of a program that was started with\n"
            "'freehold run --sites -- COMMAND'. Names and lines come from the debug\n"
            "information of its files; without it, module and offset are shown.\n"
            "\n"
            "Options:\n"
            "  --rows N    lines of each table; 10 without it\n"
            "  --stacks    every function of a call site, with the folders of its files\n"
            "  --json      one JSON object\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  found\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold pins $(pidof redis-server)\n",
    .run = pins_run,
};
