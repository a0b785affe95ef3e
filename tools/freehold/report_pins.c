/*
 * report_pins.c - the section of a report on which live blocks keep free memory from going back.
 */
#include "html.h"
#include "report.h"
#include "units.h"

#include <stdlib.h>

#define HEADS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

enum { PLACE_BYTES = 512 };

static void put_row(FILE *out, const char *name, uint64_t bytes, uint64_t all, const char *meaning)
{
    fputs("<tr>", out);
    fh_report_put_text_cell(out, name);
    fh_report_put_number_cell(out, bytes);
    fh_report_put_share_cell(out, bytes, all);
    fh_report_put_words_cell(out, meaning);
    fputs("</tr>\n", out);
}

static void put_hows(FILE *out, const struct fh_pins *pins)
{
    static const char *const meanings[FH_PIN_HOWS] = {"live blocks on the same page", "live objects of the same slab",
                                                      "the next live block above",
                                                      "the last live blocks of a heap: the break"};
    uint64_t all = fh_pins_free_bytes(pins);
    fh_report_begin_table(out, HEADS("", "free, in memory", "of all", "<held by"));
    for (int how = 0; how < FH_PIN_HOWS; how++)
        put_row(out, fh_pin_names[how], pins->all.held[how], all, meanings[how]);
    put_row(out, "caches", pins->caches_bytes, all, "no live block: freed ones that threads keep");
    put_row(out, "kept", fh_pins_kept_bytes(pins), all, "nothing: kept for the next requests");
    fh_report_end_table(out);
}

static void put_sites(FILE *out, struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    char place[PLACE_BYTES];
    uint32_t *order = calloc(report->rows + 1, sizeof(*order));
    size_t count = order ? fh_pins_top_sites(pins, false, order, report->rows) : 0;
    if (count) {
        fputs("<h3>Call sites</h3>\n", out);
        fh_report_begin_table(out, HEADS("made at", "holds, bytes", "by blocks", "of live"));
    }
    for (size_t i = 0; i < count; i++) {
        const struct fh_pin_site *site = &pins->sites[order[i]];
        fh_call_stack_place(report->sites, report->symbols, site->stack, place, sizeof(place));
        fputs("<tr>", out);
        fh_report_put_text_cell(out, place);
        fh_report_put_number_cell(out, fh_pin_total(&site->sum));
        fh_report_put_number_cell(out, site->sum.holders);
        fh_report_put_number_cell(out, site->sum.live_blocks);
        fputs("</tr>\n", out);
    }
    if (count) fh_report_end_table(out);
    free(order);
}

static void put_blocks(FILE *out, struct fh_pins_report *report)
{
    const struct fh_pins *pins = &report->pins;
    char text[FH_UNIT_BYTES];
    if (pins->block_count == 0) return;
    fputs("<h3>Blocks that hold most</h3>\n", out);
    fh_report_begin_table(out, HEADS("address", "size, bytes", "holds", "how"));
    for (size_t i = 0; i < pins->block_count; i++) {
        const struct fh_pin_block *block = &pins->blocks[i];
        int how = FH_PIN_PAGE;
        for (int other = 0; other < FH_PIN_HOWS; other++) how = block->held[other] > block->held[how] ? other : how;
        fputs("<tr>", out);
        fh_report_put_text_cell(out, fh_hex(block->address, text));
        fh_report_put_number_cell(out, block->bytes);
        fh_report_put_number_cell(out, block->total);
        fh_report_put_text_cell(out, fh_pin_names[how]);
        fputs("</tr>\n", out);
    }
    fh_report_end_table(out);
}

void fh_report_put_pins(FILE *out, struct fh_pins_report *report)
{
    char words[FH_PINS_WORDS_BYTES];
    fputs("<h2>Pins</h2>\n<p class=\"said\">", out);
    fh_pins_words(report, words);
    fh_html_text(out, words);
    fputs("</p>\n", out);
    fh_pins_remedy(report, words);
    if (words[0]) {
        fputs("<p>", out);
        fh_html_text(out, words);
        fputs("</p>\n", out);
    }
    put_hows(out, &report->pins);
    put_sites(out, report);
    put_blocks(out, report);
}
