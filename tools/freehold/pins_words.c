/*
 * pins_words.c - what keeps memory from going back, in words for somebody who has never read a malloc.
 */
#include "pins_report.h"
#include "text.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_BYTES = 512, LITTLE_BYTES = 1 << 20 };

bool fh_pins_report_open(struct fh_pins_report *report, struct fh_image *image, const char *verb, size_t rows)
{
    *report = (struct fh_pins_report){.image = image, .rows = rows};
    report->sites = fh_sites_open(image);
    report->symbols = report->sites ? fh_symbols_open(image) : NULL;
    if (!fh_pins_find(image, report->sites, verb, rows, &report->pins))
        return false;
    fh_thread_names_open(image, &report->threads);
    return true;
}

void fh_pins_report_close(struct fh_pins_report *report)
{
    fh_pins_free(&report->pins);
    fh_sites_close(report->sites);
    fh_symbols_close(report->symbols);
    fh_thread_names_close(&report->threads);
}

void fh_pins_sizes_text(bool is_class, size_t index, char *text, size_t room)
{
    char from[FH_UNIT_BYTES], to[FH_UNIT_BYTES];
    if (is_class)
        snprintf(text, room, "%s", fh_grouped(index * 16, from));
    else
        snprintf(text, room, "%s to %s", fh_grouped((uint64_t)1 << index, from),
                 fh_grouped(((uint64_t)1 << (index + 1)) - 1, to));
}

bool fh_pins_age(const struct fh_pins_report *report, uint64_t born_ms, uint64_t *age_ms)
{
    uint64_t now = report->sites ? fh_sites_now_ms(report->sites) : 0;
    *age_ms = now > born_ms ? now - born_ms : 0;
    return now != 0;
}

/* --- the sentence --- */

static enum fh_pin_how main_how(const uint64_t held[FH_PIN_HOWS])
{
    enum fh_pin_how most = FH_PIN_PAGE;
    for (int how = 0; how < FH_PIN_HOWS; how++) {
        if (held[how] > held[most])
            most = how;
    }
    return most;
}

/* Why a block keeps them. */
static void add_why_one(const struct fh_pin_block *block, char *words)
{
    char count[FH_UNIT_BYTES];
    switch (main_how(block->held)) {
    case FH_PIN_PAGE:
        fh_text_append(words, FH_PINS_WORDS_BYTES, "it lies on a page that is otherwise free.");
        break;
    case FH_PIN_SLAB:
        fh_text_append(words, FH_PINS_WORDS_BYTES, "it keeps the free rest of its slab.");
        break;
    case FH_PIN_CHUNK:
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "it lies above them, so the break of the heap cannot move down over them.");
        break;
    default:
        if (block->above == 0)
            fh_text_append(words, FH_PINS_WORDS_BYTES,
                           "it is the last live block of its heap, and the break cannot move down below it.");
        else
            fh_text_append(words, FH_PINS_WORDS_BYTES,
                           "it lies above them near the end of its heap (%s live block%s there still), and the break "
                           "cannot move down below it.",
                           fh_grouped(block->above, count), block->above == 1 ? " is above it" : "s are above it");
    }
}

static void add_why_many(const struct fh_pins_report *report, const struct fh_pin_sum *sum, char *words)
{
    static const char *const reasons[FH_PIN_HOWS] = {
        "they share their pages with it.", "each keeps the free rest of its slab.",
        "they lie scattered above it, so the break of the heap cannot move down over it.",
        "they lie at the end of the heap, and the break cannot move down below them."};
    enum fh_pin_how how = main_how(sum->held);
    bool is_alone = how == FH_PIN_PAGE && sum->held[how] / sum->holders > fh_image_about(report->image)->page_bytes / 2;
    fh_text_append(words, FH_PINS_WORDS_BYTES, "%s",
                   is_alone ? "each lies on a page that is otherwise free." : reasons[how]);
}

static void say_one(struct fh_pins_report *report, const struct fh_pin_block *block, char *words)
{
    char bytes[FH_UNIT_BYTES], held[FH_UNIT_BYTES], age[FH_UNIT_BYTES], place[PLACE_BYTES];
    uint64_t age_ms;
    fh_text_append(words, FH_PINS_WORDS_BYTES,
                   "One block of %s bytes keeps %s of free memory from going back to the kernel, %.0f %% of what is "
                   "free: ",
                   fh_grouped(block->bytes, bytes), fh_human(block->total, held),
                   fh_percent(block->total, fh_pins_free_bytes(&report->pins)));
    add_why_one(block, words);
    if (block->site == FH_PIN_NO_SITE || report->pins.sites[block->site].stack == 0)
        return;
    uint32_t stack = report->pins.sites[block->site].stack;
    fh_call_stack_place(report->sites, report->symbols, stack, place, sizeof(place));
    fh_text_append(words, FH_PINS_WORDS_BYTES, " %s made it", place);
    if (fh_pins_age(report, block->born_ms, &age_ms))
        fh_text_append(words, FH_PINS_WORDS_BYTES, ", %s ago", fh_age(age_ms, age));
    fh_text_append(words, FH_PINS_WORDS_BYTES, ".");
}

/* `which` follows "1,000 live blocks". */
static void say_many(const struct fh_pins_report *report, const struct fh_pin_sum *sum, const char *which, char *words)
{
    char count[FH_UNIT_BYTES], held[FH_UNIT_BYTES];
    fh_text_append(words, FH_PINS_WORDS_BYTES,
                   "%s live blocks%s keep %s of free memory from going back to the kernel, %.0f %% of what is free: ",
                   fh_grouped(sum->holders, count), which, fh_human(fh_pin_total(sum), held),
                   fh_percent(fh_pin_total(sum), fh_pins_free_bytes(&report->pins)));
    add_why_many(report, sum, words);
}

/* The class or range of sizes whose blocks hold most. */
static const struct fh_pin_sum *main_sizes(const struct fh_pins *pins, bool *is_class, size_t *index)
{
    const struct fh_pin_sum *most = &pins->classes[1];
    *is_class = true;
    *index = 1;
    for (size_t i = 0; i < FH_CLASSES_MOST + 64; i++) {
        bool class = i < FH_CLASSES_MOST;
        const struct fh_pin_sum *sum = class ? &pins->classes[i] : &pins->sizes[i - FH_CLASSES_MOST];
        if (fh_pin_total(sum) <= fh_pin_total(most))
            continue;
        most = sum;
        *is_class = class;
        *index = class ? i : i - FH_CLASSES_MOST;
    }
    return most;
}

void fh_pins_words(struct fh_pins_report *report, char words[FH_PINS_WORDS_BYTES])
{
    const struct fh_pins *pins = &report->pins;
    uint64_t held = fh_pin_total(&pins->all);
    char text[PLACE_BYTES], place[PLACE_BYTES + 32], bytes[FH_UNIT_BYTES];
    uint32_t site = 0;
    bool is_class;
    size_t index;
    words[0] = '\0';
    if (held < LITTLE_BYTES || held < pins->resident_bytes / 50) {
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "Little is held: live blocks keep %s of free memory from going back to the kernel, %.1f %% of "
                       "what the heap has in memory.",
                       fh_human(held, bytes), fh_percent(held, pins->resident_bytes));
        return;
    }
    if (pins->block_count && pins->blocks[0].total >= held / 2) {
        say_one(report, &pins->blocks[0], words);
        return;
    }
    if (fh_pins_top_sites(pins, false, &site, 1) && pins->sites[site].stack &&
        fh_pin_total(&pins->sites[site].sum) >= held / 2) {
        fh_call_stack_place(report->sites, report->symbols, pins->sites[site].stack, text, sizeof(text));
        snprintf(place, sizeof(place), ", made by %s,", text);
        say_many(report, &pins->sites[site].sum, place, words);
        return;
    }
    const struct fh_pin_sum *sizes = main_sizes(pins, &is_class, &index);
    if (fh_pin_total(sizes) >= held / 2) {
        fh_pins_sizes_text(is_class, index, text, sizeof(text));
        snprintf(place, sizeof(place), " of %s bytes", text);
        say_many(report, sizes, place, words);
        return;
    }
    say_many(report, &pins->all, "", words);
}

/* Whether free pages go back by themselves; true when the library does not say. */
static bool gives_back(struct fh_image *image)
{
    const struct fh_image_root *root = fh_image_root(image);
    return root->option_give_back.bytes == 0 ||
           fh_image_read_number(image, FH_IMAGE_AT(root->options, root->option_give_back),
                                root->option_give_back.bytes) != 0;
}

void fh_pins_remedy(struct fh_pins_report *report, char words[FH_PINS_WORDS_BYTES])
{
    const struct fh_pins *pins = &report->pins;
    uint64_t held = fh_pin_total(&pins->all);
    uint64_t gaps = pins->all.held[FH_PIN_CHUNK] + pins->all.held[FH_PIN_TOP];
    bool knows_sites = report->sites && (fh_sites_mode(report->sites) & FH_SAMPLES_SITES);
    char bytes[FH_UNIT_BYTES];
    words[0] = '\0';
    if (held < LITTLE_BYTES)
        return;
    if (!gives_back(report->image))
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "The program was started with FREEHOLD_RETURN=0; without that, free pages between live blocks "
                       "go back by themselves. ");
    if (gaps > held / 4)
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "%s of it are whole pages between live blocks: malloc_trim(0) in the program gives them back "
                       "now. ",
                       fh_human(gaps, bytes));
    if (gaps < held / 2)
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "Blocks that outlive their neighbours hold most; to allocate them before, or together, frees "
                       "the pages between. ");
    if (!knows_sites)
        fh_text_append(words, FH_PINS_WORDS_BYTES,
                       "Which code made the blocks: 'freehold run --sites -- COMMAND' keeps it.");
}
