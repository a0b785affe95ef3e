/*
 * verb_snapshot.c - `freehold snapshot PID -o FILE`: what is where in the heap of a process, to be looked at later.
 */
#include "cli.h"
#include "image.h"
#include "json.h"
#include "units.h"
#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int take(const char *word, const char *path, bool stop, bool json)
{
    struct fh_image *image;
    struct fh_image_saved saved = {0};
    char held[FH_UNIT_BYTES], written[FH_UNIT_BYTES];
    int status = fh_image_open("snapshot", word, 0, &image);
    if (status != 0)
        return status;
    int error = stop ? fh_image_hold(image) : 0;
    if (error != 0) {
        fh_say("snapshot", "process %s can't be stopped: %s; without --stop it need not be", word,
               error == EPERM ? "another program traces it, or the system forbids it" : strerror(error));
        status = FH_EXIT_FAILED;
    } else {
        status = fh_image_save(image, "snapshot", path, &saved);
        fh_image_release(image);
    }
    const struct fh_image_about *about = fh_image_about(image);
    if (status == 0 && json) {
        printf("{\"file\": ");
        fh_json_string(path);
        printf(", \"pid\": %ld, \"process\": ", (long)about->pid);
        fh_json_string(about->name);
        printf(", \"heap_bytes\": %" PRIu64 ", \"file_bytes\": %" PRIu64 ", \"stopped\": %s}\n", saved.heap_bytes,
               saved.file_bytes, stop ? "true" : "false");
    } else if (status == 0) {
        printf("%s: heap of process %ld (%s), %s in %s\n", path, (long)about->pid, about->name,
               fh_human(saved.heap_bytes, held), fh_human(saved.file_bytes, written));
    }
    fh_image_close(image);
    return status == 0 ? fh_finish_output("snapshot") : status;
}

static int snapshot_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"stop", no_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *word = NULL, *path = NULL;
    bool json = false, stop = false;
    int option;
    do { /* options may also follow */
        while ((option = fh_next_option("snapshot", argc, argv, "+:ho:", options)) != -1) {
            if (option == 'h') {
                fh_help_verb(&fh_verb_snapshot);
                return fh_finish_output("snapshot");
            }
            if (option == '?')
                return FH_EXIT_USAGE;
            if (option == 'o')
                path = optarg;
            json |= option == 'j';
            stop |= option == 's';
        }
        if (optind < argc && word)
            return fh_say_usage("snapshot", "one process at a time, not '%s' as well", argv[optind]);
        if (optind < argc)
            word = argv[optind++];
    } while (optind < argc);
    if (!word)
        return fh_say_usage("snapshot", "a process ID is missing");
    if (!path)
        return fh_say_usage("snapshot", "-o FILE is missing: where to write the snapshot");
    return take(word, path, stop, json);
}

const struct fh_verb fh_verb_snapshot = {
    .name = "snapshot",
    .synopsis = "[--stop] [--json] PID -o FILE",
    .summary = "write what is where in a heap to a file, to look at later",
    .help = "Writes a snapshot of the heap of a process that runs on freehold, from outside:\n"
            "which block is where, of what size, live or free, on which pages, what the\n"
            "threads are called, and, where the process notes them, the call sites. Nothing\n"
            "of what the blocks hold. All verbs that read a process, but which, read a\n"
            "snapshot as well. It is small (a heap of 1 GB takes some MB), and complete or\n"
            "not there at all. The format is described in freehold-snapshot(5). A core file\n"
            "can be made into one, too.\n"
            "\n"
            "Options:\n"
            "  -o FILE, --output=FILE\n"
            "              where to write it\n"
            "  --stop      the process stands still meanwhile, so that the picture is of one\n"
            "              moment: for freehold check. Else it is not stopped.\n"
            "  --json      one JSON object about it\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  written\n"
            "    1  it cannot be read or written; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold snapshot $(pidof redis-server) -o before.snap\n",
    .run = snapshot_run,
};
