/*
 * pins_print.c - pins as tables of 80 columns.
 */
#include "pins_report.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLERS_SHOWN = 2, PLACE_BYTES = 512 };

static void print_row(const char *name, uint64_t bytes, uint64_t all, const char *meaning)
{
    char number[FH_UNIT_BYTES];
    printf("  %-10s %17s %6.1f %%  %s\n", name, fh_grouped(bytes, number), fh_percent(bytes, all), meaning);
}

static void print_sum(const struct fh_pins *pins)
{
    static const char *const meanings[FH_PIN_HOWS] = {
        "live blocks on the same page", "live objects of the same slab", "the next live block above",
        "the last live blocks of a heap"};
    uint64_t all = fh_pins_free_bytes(pins);
    char number[FH_UNIT_BYTES];
    printf("free memory, in bytes                 held by\n");
    for (int how = 0; how < FH_PIN_HOWS; how++)
        print_row(fh_pin_names[how], pins->all.held[how], all, meanings[how]);
    print_row("caches", pins->caches_bytes, all, "freed blocks that threads keep");
    print_row("kept", fh_pins_kept_bytes(pins), all, "nothing: kept for the next requests");
    printf("  %-10s %17s           all that is free and in memory\n", "=", fh_grouped(all, number));
    if (pins->gap_bytes)
        printf("  %-10s %17s           changing while it was read, or damaged\n", "unreadable",
               fh_grouped(pins->gap_bytes, number));
}

static void print_blocks(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    char held[FH_UNIT_BYTES], address[FH_UNIT_BYTES], bytes[FH_UNIT_BYTES], age[FH_UNIT_BYTES];
    char owner[FH_THREAD_NAME_BYTES];
    printf("\nblocks that hold most\n%17s  %-14s %13s  %-5s  %7s  %s\n", "held", "address", "size", "how", "age",
           "thread");
    for (size_t i = 0; i < pins->block_count; i++) {
        const struct fh_pin_block *block = &pins->blocks[i];
        enum fh_pin_how how = FH_PIN_PAGE;
        uint64_t age_ms;
        for (int other = 0; other < FH_PIN_HOWS; other++)
            how = block->held[other] > block->held[how] ? (enum fh_pin_how)other : how;
        bool known = block->site != FH_PIN_NO_SITE && pins->sites[block->site].stack &&
                     fh_pins_age(report, block->born_ms, &age_ms);
        if (block->thread)
            fh_thread_name(&report->threads, block->thread, owner);
        else
            snprintf(owner, sizeof(owner), "(heap %u)", block->heap);
        printf("%17s  %-14s %13s  %-5s  %7s  %.14s\n", fh_grouped(block->total, held),
               fh_hex(block->address, address), fh_grouped(block->bytes, bytes), fh_pin_names[how],
               known ? fh_age(age_ms, age) : "-", owner);
    }
}

/* The line of a site, and where it was called from. */
static void print_stack(struct fh_pins_report *report, uint32_t stack)
{
    struct fh_call_stack read;
    char place[PLACE_BYTES];
    size_t callers = report->whole_stacks ? FH_ALL_CALLERS : CALLERS_SHOWN;
    fh_call_stack_read(report->sites, report->symbols, stack, callers, &read);
    if (!report->whole_stacks) {
        fh_call_stack_print(&read, CALLERS_SHOWN);
        return;
    }
    for (size_t i = 0; i < read.count; i++) {
        fh_source_text(&read.sources[i], true, place, sizeof(place));
        printf("      %s%s\n", i == read.own ? "" : "  ", place);
    }
    if (read.count == 0)
        printf("      an unknown place\n");
    if (read.truncated)
        printf("        (there were more)\n");
}

static void print_sites(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    uint32_t *order = calloc(report->rows + 1, sizeof(*order));
    size_t count = order ? fh_pins_top_sites(pins, false, order, report->rows) : 0;
    char held[FH_UNIT_BYTES], holders[FH_UNIT_BYTES], live[FH_UNIT_BYTES];
    char young[FH_UNIT_BYTES], old[FH_UNIT_BYTES];
    if (count)
        printf("\ncall sites\n%17s  %12s  %14s  %s\n", "held", "by blocks", "of live", "made");
    for (size_t i = 0; i < count; i++) {
        const struct fh_pin_site *site = &pins->sites[order[i]];
        uint64_t youngest_ms, oldest_ms;
        printf("%17s  %12s  %14s", fh_grouped(fh_pin_total(&site->sum), held), fh_grouped(site->sum.holders, holders),
               fh_grouped(site->sum.live_blocks, live));
        if (site->stack && fh_pins_age(report, site->oldest_ms, &oldest_ms) &&
            fh_pins_age(report, site->youngest_ms, &youngest_ms)) {
            fh_age(youngest_ms, young);
            fh_age(oldest_ms, old);
            if (strcmp(young, old) == 0)
                printf("  %s ago", old);
            else
                printf("  %s to %s ago", young, old);
        }
        putchar('\n');
        print_stack(report, site->stack);
    }
    free(order);
}

/* A line of a table of sums; `name` last. */
static void print_line(const struct fh_pin_sum *sum, const char *name)
{
    char held[FH_UNIT_BYTES], holders[FH_UNIT_BYTES], live[FH_UNIT_BYTES];
    printf("%17s  %12s  %14s  %s\n", fh_grouped(fh_pin_total(sum), held), fh_grouped(sum->holders, holders),
           fh_grouped(sum->live_blocks, live), name);
}

struct row {
    const struct fh_pin_sum *sum;
    bool first_kind; /* of two arrays that are one table */
    size_t index;
};

static int by_held(const void *a, const void *b)
{
    uint64_t x = fh_pin_total(((const struct row *)a)->sum), y = fh_pin_total(((const struct row *)b)->sum);
    return (x < y) - (x > y);
}

/* The rows of two arrays that hold something, the largest first; how many, at most `most`. */
static size_t rows_of(const struct fh_pin_sum *first, size_t first_count, const struct fh_pin_sum *second,
                      size_t second_count, struct row **rows)
{
    size_t count = 0;
    *rows = calloc(first_count + second_count + 1, sizeof(**rows));
    for (size_t i = 0; *rows && i < first_count + second_count; i++) {
        const struct fh_pin_sum *sum = i < first_count ? &first[i] : &second[i - first_count];
        if (fh_pin_total(sum))
            (*rows)[count++] = (struct row){sum, i < first_count, i < first_count ? i : i - first_count};
    }
    if (count)
        qsort(*rows, count, sizeof(**rows), by_held);
    return count;
}

static void print_sizes(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    struct row *rows;
    char name[64];
    size_t count = rows_of(pins->classes, FH_CLASSES_MOST, pins->sizes, 64, &rows);
    printf("\nsizes\n%17s  %12s  %14s  %s\n", "held", "by blocks", "of live", "bytes");
    for (size_t i = 0; i < count && i < report->rows; i++) {
        fh_pins_sizes_text(rows[i].first_kind, rows[i].index, name, sizeof(name));
        print_line(rows[i].sum, name);
    }
    free(rows);
}

static void print_threads(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    struct row *rows;
    char name[FH_THREAD_NAME_BYTES];
    size_t count = rows_of(pins->threads, pins->thread_count, pins->heaps, FH_HEAPS_SHOWN, &rows);
    printf("\nthreads\n%17s  %12s  %14s  %s\n", "held", "by blocks", "of live", "thread, or heap of the rest");
    for (size_t i = 0; i < count && i < report->rows; i++) {
        if (rows[i].first_kind)
            fh_thread_name(&report->threads, (uint32_t)rows[i].index, name);
        else
            snprintf(name, sizeof(name), "(heap %zu)", rows[i].index);
        print_line(rows[i].sum, name);
    }
    free(rows);
}

void fh_pins_print(struct fh_pins_report *report)
{
    const struct fh_image_about *about = fh_image_about(report->image);
    char name[FH_IMAGE_NAME_BYTES], version[FH_IMAGE_NAME_BYTES], words[FH_PINS_WORDS_BYTES];
    printf("%s, freehold %s\n\n", fh_image_name(about, name), fh_image_version(about, version));
    fh_pins_words(report, words);
    fh_print_wrapped(words, 0);
    fh_pins_remedy(report, words);
    if (words[0])
        fh_print_wrapped(words, 0);
    putchar('\n');
    print_sum(&report->pins);
    if (report->pins.all.holders == 0 || report->rows == 0)
        return;
    print_blocks(report);
    print_sites(report);
    print_sizes(report);
    print_threads(report);
}
