/*
 * verb_check.c - `freehold check PID|SNAPSHOT|CORE`: every invariant of a heap, from outside.
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
#include <time.h>

enum { SHOWN_MOST = 50, ROUNDS = 3, BETWEEN_MS = 50 };

struct findings {
    uint64_t count;
    size_t kept;
    struct finding {
        char invariant[4];
        uint64_t address;
        const char *text;
    } each[SHOWN_MOST];
};

static void note(const char *invariant, uint64_t address, const char *text, void *arg)
{
    struct findings *findings = arg;
    if (findings->kept == SHOWN_MOST)
        return;
    struct finding *finding = &findings->each[findings->kept++];
    snprintf(finding->invariant, sizeof(finding->invariant), "%s", invariant);
    finding->address = address;
    finding->text = text;
}

/* Leaves of the findings those that were there before, too. */
static void keep_common(struct findings *findings, const struct findings *before)
{
    size_t kept = 0, found = findings->kept;
    for (size_t i = 0; i < found; i++) {
        bool was_there = false;
        for (size_t n = 0; n < before->kept && !was_there; n++)
            was_there = findings->each[i].address == before->each[n].address &&
                        strcmp(findings->each[i].text, before->each[n].text) == 0;
        if (was_there)
            findings->each[kept++] = findings->each[i];
    }
    findings->kept = kept;
    if (kept < found)
        findings->count = kept;
}

/* What is said of a heap that was caught in the middle of a change is gone the next time; damage stays. */
static int look(struct fh_image *image, const char *word, struct findings *findings)
{
    static struct findings before;
    bool is_process = fh_image_about(image)->kind == FH_IMAGE_PROCESS, done = false;
    for (int round = 0; round < (is_process ? ROUNDS : 1) && !done; round++) {
        const struct timespec pause = {0, BETWEEN_MS * 1000000};
        if (round > 0)
            nanosleep(&pause, NULL);
        int error = fh_image_hold(image);
        if (error != 0) {
            fh_say("check", "process %s can't be stopped: %s; a core can be checked as well (gcore)", word,
                   error == EPERM ? "another program traces it, or the system forbids it" : strerror(error));
            return FH_EXIT_FAILED;
        }
        findings->kept = 0;
        bool good = fh_image_refresh(image) && fh_image_check(image, "check", note, findings, &findings->count);
        fh_image_release(image);
        if (!good) {
            fh_say("check", "%s could not be read to its end: it ended meanwhile, or memory ran out", word);
            return FH_EXIT_FAILED;
        }
        if (round > 0)
            keep_common(findings, &before);
        before = *findings;
        done = findings->count == 0;
    }
    return 0;
}

static void print_text(const struct fh_image_about *about, const struct findings *findings)
{
    char name[FH_IMAGE_NAME_BYTES], address[FH_UNIT_BYTES], count[FH_UNIT_BYTES];
    printf("%s: ", fh_image_name(about, name));
    if (findings->count == 0) {
        puts("every invariant holds");
        return;
    }
    printf("%s violation%s\n", fh_grouped(findings->count, count), findings->count == 1 ? "" : "s");
    for (size_t i = 0; i < findings->kept; i++) {
        const struct finding *finding = &findings->each[i];
        printf("  %s  %-14s  %s\n", finding->invariant,
               finding->address ? fh_hex(finding->address, address) : "as a whole", finding->text);
    }
    if (findings->count > findings->kept)
        printf("  and %s more\n", fh_grouped(findings->count - findings->kept, count));
    if (about->kind == FH_IMAGE_SNAPSHOT && !about->was_held)
        puts("The process ran while the snapshot was taken, so these may be changes under way,\n"
             "no damage: freehold snapshot --stop takes one that can be judged.");
    else
        puts("Something wrote where it must not: freehold who tells what is at an address.");
}

static void print_json(const struct fh_image_about *about, const struct findings *findings)
{
    static const char *const kinds[] = {"process", "snapshot", "core"};
    printf("{\"kind\": \"%s\", \"pid\": %ld, \"process\": ", kinds[about->kind], (long)about->pid);
    fh_json_string(about->name);
    printf(", \"stood_still\": %s, \"violations\": %" PRIu64 ", \"shown\": [",
           about->kind != FH_IMAGE_SNAPSHOT || about->was_held ? "true" : "false", findings->count);
    for (size_t i = 0; i < findings->kept; i++) {
        const struct finding *finding = &findings->each[i];
        printf("%s{\"invariant\": \"%s\", \"address\": ", i ? ", " : "", finding->invariant);
        if (finding->address)
            printf("\"0x%" PRIx64 "\"", finding->address);
        else
            printf("null");
        printf(", \"text\": ");
        fh_json_string(finding->text);
        putchar('}');
    }
    puts("]}");
}

static int check(const char *word, bool json)
{
    static struct findings findings;
    struct fh_image *image;
    int status = fh_image_open("check", word, 0, &image);
    if (status != 0)
        return status;
    status = look(image, word, &findings);
    if (status == 0 && json)
        print_json(fh_image_about(image), &findings);
    else if (status == 0)
        print_text(fh_image_about(image), &findings);
    fh_image_close(image);
    if (status != 0)
        return status;
    status = fh_finish_output("check");
    return status == 0 && findings.count ? FH_EXIT_FAILED : status;
}

static int check_run(int argc, char **argv)
{
    struct fh_verb_words words;
    int status;
    if (!fh_verb_read_words(&fh_verb_check, argc, argv, 1, "one process or file at a time", &words, &status))
        return status;
    if (!words.each[0])
        return fh_say_usage("check", "a process ID, a snapshot or a core file is missing");
    return check(words.each[0], words.json);
}

const struct fh_verb fh_verb_check = {
    .name = "check",
    .synopsis = "[--json] PID|SNAPSHOT|CORE",
    .summary = "whether every invariant of a heap holds, from outside",
    .help = "Checks every invariant of the heap of a process that runs on freehold: that\n"
            "chunks tile it (H1) and agree with their neighbours (H2, H3), free lists (H4,\n"
            "H5), slabs and what threads keep of them (S1 to S3), the page map (P1), and\n"
            "that every byte is accounted for (A1). A violation means that something wrote\n"
            "where it must not.\n"
            "\n"
            "The process stands still meanwhile, at a moment when no thread is inside the\n"
            "allocator, and goes on afterwards, even if this program is killed. A snapshot\n"
            "(freehold snapshot --stop) or a core file can be checked at leisure. The same\n"
            "from inside, at exit: FREEHOLD_CHECK=1.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  every invariant holds\n"
            "    1  one does not, or it cannot be read; the message says which and why\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold check $(pidof redis-server)\n",
    .run = check_run,
};
