/*
 * diff_print.c - what `freehold diff` says.
 */
#include "call_stack.h"
#include "diff.h"
#include "json.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SITES_SHOWN = 5, CALLERS_SHOWN = 2, CLASSES_SHOWN = 6, JSON_SITES_MOST = 100 };

/* "+1,234", "-1,234" or "0" */
static const char *signed_number(double number, char text[FH_UNIT_BYTES])
{
    char digits[FH_UNIT_BYTES];
    uint64_t size = (uint64_t)(fabs(number) + 0.5);
    snprintf(text, FH_UNIT_BYTES, "%s%s", size == 0 ? "" : number < 0 ? "-" : "+", fh_grouped(size, digits));
    return text;
}

static double change_of(uint64_t before, uint64_t after) { return (double)after - (double)before; }

static void print_row(const char *label, uint64_t before, uint64_t after)
{
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES], c[FH_UNIT_BYTES];
    printf("  %-17s %18s %18s %18s\n", label, fh_grouped(before, a), fh_grouped(after, b),
           signed_number(change_of(before, after), c));
}

static uint64_t held(const struct fh_image_account *account)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++)
        sum += account->bytes[i];
    return sum;
}

static uint64_t resident(const struct fh_image_account *account)
{
    uint64_t sum = 0;
    for (int i = 0; i < FH_ITEMS; i++)
        sum += account->resident[i];
    return sum;
}

static void print_account(const struct fh_diff *diff)
{
    const struct fh_image_account *before = &diff->account[FH_BEFORE], *after = &diff->account[FH_AFTER];
    printf("account, in bytes             before              after             change\n");
    for (int i = 0; i < FH_ITEMS; i++)
        print_row(fh_item_names[i], before->bytes[i], after->bytes[i]);
    print_row("= from the kernel", held(before), held(after));
    if (fh_diff_knows_pages(diff)) {
        print_row("live in memory", before->resident[FH_LIVE], after->resident[FH_LIVE]);
        print_row("cached in memory", before->resident[FH_CACHED], after->resident[FH_CACHED]);
        print_row("free in memory", before->resident[FH_FREE], after->resident[FH_FREE]);
        print_row("heap in memory", resident(before), resident(after));
        print_row("resident, process", diff->rss_bytes[FH_BEFORE], diff->rss_bytes[FH_AFTER]);
    }
    print_row("live blocks", before->live_blocks, after->live_blocks);
}

/* --- size classes --- */

struct class_change {
    uint64_t size; /* of a class; of others, from this size on up to twice */
    bool is_class;
    double blocks, bytes;
};

/* The largest changes of what is live, by size. How many. */
static size_t changed_classes(const struct fh_diff *diff, struct class_change *shown)
{
    const struct fh_image_account *before = &diff->account[FH_BEFORE], *after = &diff->account[FH_AFTER];
    size_t count = 0;
    for (unsigned i = 0; i < FH_CLASSES_MOST + 64; i++) {
        unsigned log = i - FH_CLASSES_MOST;
        bool is_class = i < FH_CLASSES_MOST;
        struct class_change change = {.is_class = is_class};
        if (is_class) {
            change.size = i * 16;
            change.blocks = change_of(before->classes[i].live, after->classes[i].live);
            change.bytes = change.blocks * i * 16;
        } else {
            change.size = (uint64_t)1 << log;
            change.blocks = change_of(before->sizes[log].live_blocks, after->sizes[log].live_blocks);
            change.bytes = change_of(before->sizes[log].live_bytes, after->sizes[log].live_bytes);
        }
        size_t at = count < CLASSES_SHOWN ? count++ : CLASSES_SHOWN;
        for (; at > 0 && fabs(shown[at - 1].bytes) < fabs(change.bytes); at--) {
            if (at < CLASSES_SHOWN)
                shown[at] = shown[at - 1];
        }
        if (at < CLASSES_SHOWN)
            shown[at] = change;
    }
    while (count && shown[count - 1].bytes == 0)
        count--;
    return count;
}

static void print_classes(const struct fh_diff *diff)
{
    struct class_change shown[CLASSES_SHOWN];
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES], c[FH_UNIT_BYTES], size[64];
    size_t count = changed_classes(diff, shown);
    if (count == 0)
        return;
    printf("\nlive blocks by size                     change of blocks    change of bytes\n");
    for (size_t i = 0; i < count; i++) {
        if (shown[i].is_class)
            snprintf(size, sizeof(size), "%s bytes", fh_grouped(shown[i].size, a));
        else
            snprintf(size, sizeof(size), "%s to %s bytes", fh_grouped(shown[i].size, a),
                     fh_grouped(2 * shown[i].size - 1, b));
        printf("  %-36s %17s %18s\n", size, signed_number(shown[i].blocks, b), signed_number(shown[i].bytes, c));
    }
}

/* --- call sites --- */

static double site_change(const struct fh_diff_site *site) { return site->bytes[FH_AFTER] - site->bytes[FH_BEFORE]; }

static int side_of(const struct fh_diff_site *site) { return site->stack[FH_AFTER] ? FH_AFTER : FH_BEFORE; }

static void print_stack(const struct fh_diff *diff, struct fh_symbols *const symbols[FH_SIDES],
                        const struct fh_diff_site *site)
{
    struct fh_call_stack read;
    int side = side_of(site);
    fh_call_stack_read(diff->sites[side], symbols[side], site->stack[side], CALLERS_SHOWN, &read);
    fh_call_stack_print(&read, CALLERS_SHOWN);
}

static void print_sites(const struct fh_diff *diff)
{
    struct fh_symbols *symbols[FH_SIDES];
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    if (!diff->has_sites) {
        puts("\nWho made them is not known: freehold run --sites -- COMMAND notes it.");
        return;
    }
    printf("\ncall sites, by what the program holds of them%s\n",
           diff->is_estimated ? ", estimated from a sample" : "");
    for (int side = 0; side < FH_SIDES; side++)
        symbols[side] = fh_symbols_open(diff->image[side]);
    size_t shown = 0;
    for (; shown < diff->site_count && shown < SITES_SHOWN && site_change(&diff->site[shown]) != 0; shown++) {
        const struct fh_diff_site *site = &diff->site[shown];
        double blocks = site->blocks[FH_AFTER] - site->blocks[FH_BEFORE];
        printf("  %s bytes in %s block%s\n", signed_number(site_change(site), a), signed_number(blocks, b),
               fabs(blocks) < 1.5 && fabs(blocks) > 0.5 ? "" : "s");
        print_stack(diff, symbols, site);
    }
    if (shown == 0)
        puts("  no change");
    for (int side = 0; side < FH_SIDES; side++)
        fh_symbols_close(symbols[side]);
}

static void print_words(const struct fh_diff *diff)
{
    char words[FH_DIFF_WORDS_BYTES];
    fh_diff_words(diff, words);
    printf("\nwhat grew\n  ");
    fh_print_wrapped(words, 2);
}

static void print_side(const char *label, struct fh_image *image)
{
    const struct fh_image_about *about = fh_image_about(image);
    time_t second = (time_t)(about->taken_ns / 1000000000);
    struct tm parts;
    char when[64] = "";
    if (about->taken_ns && localtime_r(&second, &parts))
        strftime(when, sizeof(when), ", %Y-%m-%d %H:%M:%S", &parts);
    printf("%-8s process %ld (%s)%s\n", label, (long)about->pid, about->name, when);
}

void fh_diff_print(const struct fh_diff *diff)
{
    const struct fh_image_about *before = fh_image_about(diff->image[FH_BEFORE]);
    const struct fh_image_about *after = fh_image_about(diff->image[FH_AFTER]);
    print_side("before", diff->image[FH_BEFORE]);
    print_side("after", diff->image[FH_AFTER]);
    if (before->pid != after->pid)
        puts("These are two processes: what differs need not have grown.");
    putchar('\n');
    print_account(diff);
    print_words(diff);
    print_classes(diff);
    print_sites(diff);
}

/* --- JSON --- */

static void json_sites(const struct fh_diff *diff)
{
    struct fh_symbols *symbols[FH_SIDES];
    if (!diff->has_sites) {
        printf(", \"sites\": null");
        return;
    }
    for (int side = 0; side < FH_SIDES; side++)
        symbols[side] = fh_symbols_open(diff->image[side]);
    printf(", \"estimated\": %s, \"sites\": [", diff->is_estimated ? "true" : "false");
    for (size_t i = 0; i < diff->site_count && i < JSON_SITES_MOST && site_change(&diff->site[i]) != 0; i++) {
        const struct fh_diff_site *site = &diff->site[i];
        printf("%s{\"before_blocks\": %.0f, \"after_blocks\": %.0f, \"before_bytes\": %.0f, \"after_bytes\": %.0f, ",
               i ? ", " : "", site->blocks[FH_BEFORE], site->blocks[FH_AFTER], site->bytes[FH_BEFORE],
               site->bytes[FH_AFTER]);
        int side = side_of(site);
        fh_call_stack_json(diff->sites[side], symbols[side], site->stack[side]);
        putchar('}');
    }
    putchar(']');
    for (int side = 0; side < FH_SIDES; side++)
        fh_symbols_close(symbols[side]);
}

static void json_side(const char *name, const struct fh_diff *diff, int side)
{
    const struct fh_image_about *about = fh_image_about(diff->image[side]);
    const struct fh_image_account *account = &diff->account[side];
    printf("\"%s\": {\"pid\": %ld, \"process\": ", name, (long)about->pid);
    fh_json_string(about->name);
    printf(", \"taken_ns\": %" PRIu64, about->taken_ns);
    for (int i = 0; i < FH_ITEMS; i++)
        printf(", \"%s_bytes\": %" PRIu64, fh_item_names[i], account->bytes[i]);
    printf(", \"resident\": ");
    for (int i = 0; about->knows_pages && i < FH_ITEMS; i++)
        printf("%s\"%s_bytes\": %" PRIu64, i ? ", " : "{", fh_item_names[i], account->resident[i]);
    printf(about->knows_pages ? "}" : "null");
    printf(", \"live_blocks\": %" PRIu64 ", \"process_resident_bytes\": %" PRIu64 "}", account->live_blocks,
           diff->rss_bytes[side]);
}

void fh_diff_print_json(const struct fh_diff *diff)
{
    struct class_change classes[CLASSES_SHOWN];
    char words[FH_DIFF_WORDS_BYTES];
    size_t count = changed_classes(diff, classes);
    putchar('{');
    json_side("before", diff, FH_BEFORE);
    printf(", ");
    json_side("after", diff, FH_AFTER);
    printf(", \"words\": ");
    fh_diff_words(diff, words);
    fh_json_string(words);
    printf(", \"sizes\": [");
    for (size_t i = 0; i < count; i++)
        printf("%s{\"bytes\": %" PRIu64 ", \"is_class\": %s, \"change_blocks\": %.0f, \"change_bytes\": %.0f}",
               i ? ", " : "", classes[i].size, classes[i].is_class ? "true" : "false", classes[i].blocks,
               classes[i].bytes);
    putchar(']');
    json_sites(diff);
    puts("}");
}
