/*
 * verb_explain.c - `freehold explain PID|FILE`: where the memory of a process is, what dominates, and what to do.
 */
#include "cli.h"
#include "explain.h"
#include "image.h"
#include "json.h"
#include "units.h"
#include "verbs.h"

#include <inttypes.h>
#include <stdio.h>

static void print_account(const struct fh_explanation *explanation)
{
    const struct fh_image_account *account = &explanation->account;
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    uint64_t bytes = 0, resident = 0;
    bool knows_pages = explanation->about->knows_pages;

    printf("account, in bytes              held%s\n", knows_pages ? "       in memory" : "");
    for (int i = 0; i < FH_ITEMS; i++) {
        printf("  %-17s %15s", fh_item_names[i], fh_grouped(account->bytes[i], a));
        if (knows_pages)
            printf(" %15s", fh_grouped(account->resident[i], b));
        printf("  %s\n", fh_item_meanings[i]);
        bytes += account->bytes[i];
        resident += account->resident[i];
    }
    if (account->stack_tables.bytes) {
        printf("  %-17s %15s", "  of it tables", fh_grouped(account->stack_tables.bytes, a));
        if (knows_pages)
            printf(" %15s", fh_grouped(account->stack_tables.resident, b));
        puts("  call stacks of blocks");
    }
    printf("  %-17s %15s", "= from the kernel", fh_grouped(bytes, a));
    if (knows_pages)
        printf(" %15s", fh_grouped(resident, b));
    putchar('\n');
    uint64_t ledger = account->obtained_bytes - account->returned_bytes;
    if (account->gap_bytes)
        printf("  %-17s %15s  changing while it was read, or damaged\n", "not readable",
               fh_grouped(account->gap_bytes, a));
    if (ledger != bytes + account->gap_bytes)
        printf("  %-17s %15s  obtained less returned, by then\n", "the ledger says", fh_grouped(ledger, a));
}

static void print_reconciliation(const struct fh_explanation *explanation)
{
    char a[FH_UNIT_BYTES];
    uint64_t resident = fh_explained_resident(explanation), smaps = explanation->heap_rss_bytes;
    uint64_t difference = resident > smaps ? resident - smaps : smaps - resident;
    if (!explanation->about->knows_pages)
        return;
    printf("\nresident (smaps)\n");
    printf("  %-17s %15s\n", "whole process", fh_grouped(explanation->rss_bytes, a));
    printf("  %-17s %15s  %.2f %% off the account's %s\n", "of it the heap", fh_grouped(smaps, a),
           fh_percent(difference, smaps), "\"in memory\"");
    for (int i = 0; i < FH_OTHERS; i++) {
        if (explanation->others[i].rss_bytes)
            printf("  %-17s %15s  %s\n", fh_other_names[i], fh_grouped(explanation->others[i].rss_bytes, a),
                   fh_other_meanings[i]);
    }
    if (explanation->swap_bytes)
        printf("  %-17s %15s  of the whole process\n", "swapped out", fh_grouped(explanation->swap_bytes, a));
}

static void print_text(const struct fh_explanation *explanation)
{
    const struct fh_image_about *about = explanation->about;
    char name[FH_IMAGE_NAME_BYTES], version[FH_IMAGE_NAME_BYTES];
    printf("%s, freehold %s\n\n", fh_image_name(about, name), fh_image_version(about, version));
    print_account(explanation);
    print_reconciliation(explanation);
    putchar('\n');
    fh_explain_advise(explanation);
}

static void print_json(const struct fh_explanation *explanation)
{
    const struct fh_image_account *account = &explanation->account;
    const struct fh_image_about *about = explanation->about;
    char version[FH_IMAGE_NAME_BYTES];
    printf("{\"pid\": %ld, \"process\": ", (long)about->pid);
    fh_json_string(about->name);
    printf(", \"malloc\": \"freehold\", \"version\": \"%s\", \"account\": {", fh_image_version(about, version));
    for (int i = 0; i < FH_ITEMS; i++)
        printf("\"%s_bytes\": %" PRIu64 ", ", fh_item_names[i], account->bytes[i]);
    printf("\"obtained_bytes\": %" PRIu64 ", \"returned_bytes\": %" PRIu64 ", \"unreadable_bytes\": %" PRIu64
           "}, \"resident\": ",
           account->obtained_bytes, account->returned_bytes, account->gap_bytes);
    if (about->knows_pages) {
        putchar('{');
        for (int i = 0; i < FH_ITEMS; i++)
            printf("\"%s_bytes\": %" PRIu64 ", ", fh_item_names[i], account->resident[i]);
        printf("\"heap_bytes\": %" PRIu64 ", \"heap_smaps_bytes\": %" PRIu64 ", \"process_bytes\": %" PRIu64
               ", \"swapped_bytes\": %" PRIu64 "}",
               fh_explained_resident(explanation), explanation->heap_rss_bytes, explanation->rss_bytes,
               explanation->swap_bytes);
    } else {
        printf("null");
    }
    printf(", \"blocks\": {\"live\": %" PRIu64 ", \"cached\": %" PRIu64 ", \"large\": %" PRIu64
           ", \"large_bytes\": %" PRIu64 "}",
           account->live_blocks, account->cached_blocks, account->large_blocks, account->large_bytes);
    static const char *const places[] = {"slabs", "uncarved", "chunks", "top", "mappings"};
    const struct fh_image_place *each[] = {&account->free_in_slabs, &account->free_uncarved, &account->free_in_chunks,
                                           &account->free_in_top, &account->free_in_mappings};
    printf(", \"free_by_place\": {");
    for (int i = 0; i < 5; i++)
        printf("%s\"%s\": {\"bytes\": %" PRIu64 ", \"resident_bytes\": %" PRIu64 "}", i ? ", " : "", places[i],
               each[i]->bytes, each[i]->resident);
    printf("}, \"stack_tables\": {\"bytes\": %" PRIu64 ", \"resident_bytes\": %" PRIu64
           "}, \"trimmable_bytes\": %" PRIu64 ", ",
           account->stack_tables.bytes, account->stack_tables.resident, account->whole_pages);
    fh_explain_advise_json(explanation);
    printf("}\n");
}

static int explain_foreign(struct fh_image *image, bool json)
{
    struct fh_foreign foreign;
    fh_foreign_read(image, &foreign);
    if (json)
        fh_foreign_print_json(image, &foreign);
    else
        fh_foreign_print(image, &foreign);
    return fh_finish_output("explain");
}

static int explain(const char *word, bool json)
{
    struct fh_image *image;
    struct fh_explanation explanation;
    int status = fh_image_open("explain", word, FH_IMAGE_FOREIGN_TOO, &image);
    if (status != 0)
        return status;
    if (!fh_image_about(image)->has_root) {
        status = explain_foreign(image, json);
    } else if (!fh_explain_read(image, "explain", &explanation)) {
        fh_say("explain", "process %s ended while it was read; a snapshot or a core stays", word);
        status = FH_EXIT_FAILED;
    } else {
        if (json)
            print_json(&explanation);
        else
            print_text(&explanation);
        status = fh_finish_output("explain");
    }
    fh_image_close(image);
    return status;
}

static int explain_run(int argc, char **argv)
{
    struct fh_verb_words words;
    int status;
    if (!fh_verb_read_words(&fh_verb_explain, argc, argv, 1, "one process or file at a time", &words, &status))
        return status;
    if (!words.each[0])
        return fh_say_usage("explain", "a process ID, a snapshot or a core file is missing");
    return explain(words.each[0], words.json);
}

const struct fh_verb fh_verb_explain = {
    .name = "explain",
    .synopsis = "[--json] PID|SNAPSHOT|CORE",
    .summary = "where the memory of a process is, what dominates, what to do",
    .help = "Walks over the whole heap of a process that runs on freehold, from outside, and\n"
            "prints the additive account: of every byte that the kernel gave what it is,\n"
            "and whether it is in memory; how that agrees with the kernel's own sums; what\n"
            "dominates; and what to do about it. Where call stacks are noted ('freehold run\n"
            "--sites' or '--profile'), the call site that holds most is named. The process\n"
            "is not stopped and does not notice. Of a process on the C library's malloc it\n"
            "says what can be seen from outside. A core does not tell what was in memory.\n"
            "\n"
            "Options:\n"
            "  --json      one JSON object\n"
            "  -h, --help  show this text\n"
            "\n"
            "Exit status:\n"
            "    0  explained\n"
            "    1  it cannot be read; the message says why and what helps\n"
            "    2  the command line is not understood\n"
            "\n"
            "Example:\n"
            "  freehold explain $(pidof redis-server)\n",
    .run = explain_run,
};
