/*
 * verb_diff.c - `freehold diff BEFORE AFTER`: what grew between two snapshots.
 */
#include "cli.h"
#include "diff.h"
#include "verbs.h"

#include <string.h>

static int diff(const char *const words[FH_SIDES], bool json)
{
    static struct fh_diff made;
    int status = 0;
    memset(&made, 0, sizeof(made));
    for (int side = 0; side < FH_SIDES && status == 0; side++)
        status = fh_image_open("diff", words[side], 0, &made.image[side]);
    if (status == 0 && !fh_diff_make(&made)) {
        fh_say("diff", "not everything could be read: a process ended meanwhile, or memory ran out");
        status = FH_EXIT_FAILED;
    } else if (status == 0) {
        if (json)
            fh_diff_print_json(&made);
        else
            fh_diff_print(&made);
        status = fh_finish_output("diff");
    }
    fh_diff_free(&made);
    return status;
}

static int diff_run(int argc, char **argv)
{
    struct fh_verb_words words;
    int status;
    if (!fh_verb_read_words(&fh_verb_diff, argc, argv, 2, "two of them", &words, &status))
        return status;
    if (!words.each[1])
        return fh_say_usage("diff", words.each[0] ? "AFTER is missing: a second snapshot, or the process"
                                           : "two snapshots are missing");
    return diff(words.each, words.json);
}

const struct fh_verb fh_verb_diff = {
    .name = "diff",
    .synopsis = "[--json] BEFORE AFTER",
    .summary = "what grew between two snapshots",
    .help = "Compares two snapshots of a heap: the account of each, what grew and what that\n"
            "means, how much went back to the kernel, the sizes of blocks whose number\n"
            "changed most, and, of a program that was started with freehold run --sites, the\n"
            "call sites from which the program holds more than before, or less. With freehold\n"
            "run --profile=FILE these are estimates from the sample.\n"
            "\n"
            "BEFORE and AFTER are snapshots (freehold snapshot), or what a snapshot can be\n"
            "taken of: a process ID or a core file. Call sites are found again in another\n"
            "process of the same program, too.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  compared\n"
            "    1  one of them cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold diff before.snap $(pidof redis-server)\n",
    .run = diff_run,
};
