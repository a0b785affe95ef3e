/*
 * pins_json.c - pins as one JSON object.
 */
#include "json.h"
#include "pins_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_held(const uint64_t held[FH_PIN_HOWS])
{
    for (int how = 0; how < FH_PIN_HOWS; how++)
        printf("\"%s_bytes\": %" PRIu64 ", ", fh_pin_names[how], held[how]);
}

/* The members that all sums have. */
static void print_sum(const struct fh_pin_sum *sum)
{
    printf("\"held_bytes\": %" PRIu64 ", ", fh_pin_total(sum));
    print_held(sum->held);
    printf("\"holders\": %" PRIu64 ", \"live_blocks\": %" PRIu64 ", \"live_bytes\": %" PRIu64, sum->holders,
           sum->live_blocks, sum->live_bytes);
}

static void print_age(const struct fh_pins_report *report, const char *name, bool known, uint64_t born_ms)
{
    uint64_t age_ms;
    if (known && fh_pins_age(report, born_ms, &age_ms))
        printf("\"%s\": %" PRIu64 ", ", name, age_ms);
    else
        printf("\"%s\": null, ", name);
}

/* Sites are named by their stack's number: the same in "blocks" and "sites". */
static void print_blocks(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    char name[FH_THREAD_NAME_BYTES];
    printf("\"blocks\": [");
    for (size_t i = 0; i < pins->block_count; i++) {
        const struct fh_pin_block *block = &pins->blocks[i];
        uint32_t stack = block->site == FH_PIN_NO_SITE ? 0 : pins->sites[block->site].stack;
        printf("%s{\"address\": \"0x%" PRIx64 "\", \"bytes\": %" PRIu64 ", \"held_bytes\": %" PRIu64 ", ",
               i ? ", " : "", block->address, block->bytes, block->total);
        print_held(block->held);
        printf("\"live_blocks_above\": %" PRIu64 ", ", block->above);
        print_age(report, "age_ms", stack != 0, block->born_ms);
        printf("\"thread\": ");
        fh_json_string(block->thread ? fh_thread_name(&report->threads, block->thread, name) : NULL);
        if (stack)
            printf(", \"site\": %" PRIu32 "}", stack);
        else
            printf(", \"site\": null}");
    }
    putchar(']');
}

static void print_sites(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    uint32_t *order = calloc(report->rows + 1, sizeof(*order));
    size_t count = order ? fh_pins_top_sites(pins, false, order, report->rows) : 0;
    printf("\"sites\": [");
    for (size_t i = 0; i < count; i++) {
        const struct fh_pin_site *site = &pins->sites[order[i]];
        printf("%s{\"site\": %" PRIu32 ", ", i ? ", " : "", site->stack);
        print_age(report, "youngest_ms", site->stack != 0, site->youngest_ms);
        print_age(report, "oldest_ms", site->stack != 0, site->oldest_ms);
        print_sum(&site->sum);
        printf(", ");
        fh_call_stack_json(report->sites, report->symbols, site->stack);
        putchar('}');
    }
    putchar(']');
    free(order);
}

static void print_sizes(const struct fh_pin_sum *sums, size_t count, bool is_class, const char **separator)
{
    for (size_t i = 0; i < count; i++) {
        if (sums[i].live_blocks == 0)
            continue;
        uint64_t most = is_class ? i * 16 : i < 63 ? ((uint64_t)2 << i) - 1 : UINT64_MAX;
        printf("%s{\"least_bytes\": %" PRIu64 ", \"most_bytes\": %" PRIu64 ", \"in_slabs\": %s, ", *separator,
               is_class ? i * 16 - 15 : (uint64_t)1 << i, most, is_class ? "true" : "false");
        print_sum(&sums[i]);
        putchar('}');
        *separator = ", ";
    }
}

static void print_owners(struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    const char *separator = "";
    char name[FH_THREAD_NAME_BYTES];
    printf("\"threads\": [");
    for (uint32_t i = 0; i < pins->thread_count; i++) {
        if (pins->threads[i].live_blocks == 0)
            continue;
        printf("%s{\"thread\": ", separator);
        fh_json_string(fh_thread_name(&report->threads, i, name));
        printf(", ");
        print_sum(&pins->threads[i]);
        putchar('}');
        separator = ", ";
    }
    printf("], \"heaps\": [");
    separator = "";
    for (int i = 0; i < FH_HEAPS_SHOWN; i++) {
        if (pins->heaps[i].live_blocks == 0)
            continue;
        printf("%s{\"heap\": %d, ", separator, i);
        print_sum(&pins->heaps[i]);
        putchar('}');
        separator = ", ";
    }
    putchar(']');
}

void fh_pins_print_json(struct fh_pins_report *report)
{
    const struct fh_image_about *about = fh_image_about(report->image);
    const struct fh_pins *pins = &report->pins;
    const char *separator = "";
    char words[FH_PINS_WORDS_BYTES];
    printf("{\"pid\": %ld, \"process\": ", (long)about->pid);
    fh_json_string(about->name);
    printf(", \"words\": ");
    fh_pins_words(report, words);
    fh_json_string(words);
    printf(", \"remedy\": ");
    fh_pins_remedy(report, words);
    fh_json_string(words);
    printf(", \"knows_sites\": %s",
           report->sites && (fh_sites_mode(report->sites) & FH_SAMPLES_SITES) ? "true" : "false");
    printf(", \"free_bytes\": %" PRIu64 ", \"resident_bytes\": %" PRIu64 ", \"unreadable_bytes\": %" PRIu64
           ", \"caches_bytes\": %" PRIu64 ", \"kept_bytes\": {\"top\": %" PRIu64 ", \"slabs\": %" PRIu64
           ", \"mappings\": %" PRIu64 ", \"ends\": %" PRIu64 "}, ",
           fh_pins_free_bytes(pins), pins->resident_bytes, pins->gap_bytes, pins->caches_bytes, pins->kept_top_bytes,
           pins->kept_slab_bytes, pins->kept_mapping_bytes, pins->kept_end_bytes);
    print_sum(&pins->all);
    printf(", ");
    print_blocks(report);
    printf(", ");
    print_sites(report);
    printf(", \"sizes\": [");
    print_sizes(pins->classes, FH_CLASSES_MOST, true, &separator);
    print_sizes(pins->sizes, 64, false, &separator);
    printf("], ");
    print_owners(report);
    printf("}\n");
}
