/*
 * diff_words.c - what grew between two images of a heap, and what went back to the kernel, in words.
 *
 * Both are said of memory where it is known which pages are in memory, and else of what is held. Address space that was
 * never used, or has gone back, is neither: it only says where the rest went.
 */
#include "diff.h"
#include "text.h"
#include "units.h"

#include <stdio.h>

enum { HARDLY = 50 /* a growth so many times smaller than what the heap has less in all */, WORTH_SAYING = 10 };

struct changes {
    double items[FH_ITEMS]; /* 0 for untouched */
    double all, swapped, tables;
    enum fh_item most, least; /* that grew most, or shrank least; and the other way round */
};

static double change_of(uint64_t before, uint64_t after) { return (double)after - (double)before; }

bool fh_diff_knows_pages(const struct fh_diff *diff)
{
    return fh_image_about(diff->image[FH_BEFORE])->knows_pages && fh_image_about(diff->image[FH_AFTER])->knows_pages;
}

static struct changes changes_of(const struct fh_diff *diff)
{
    const struct fh_image_account *before = &diff->account[FH_BEFORE], *after = &diff->account[FH_AFTER];
    bool knows = fh_diff_knows_pages(diff);
    struct changes changes = {.swapped = change_of(before->swapped_bytes, after->swapped_bytes),
                              .tables = change_of(before->stack_tables.bytes, after->stack_tables.bytes)};
    for (int i = 0; i < FH_ITEMS; i++) {
        if (i == FH_UNTOUCHED)
            continue;
        changes.items[i] = knows ? change_of(before->resident[i], after->resident[i])
                                 : change_of(before->bytes[i], after->bytes[i]);
        changes.all += changes.items[i];
        if (changes.items[i] > changes.items[changes.most])
            changes.most = (enum fh_item)i;
        if (changes.items[i] < changes.items[changes.least])
            changes.least = (enum fh_item)i;
    }
    return changes;
}

static const char *growth_words(const struct changes *changes)
{
    switch (changes->most) {
    case FH_LIVE:
        return "It is what the program holds: blocks that it has not freed. That is a leak, a cache without a bound, "
               "or work that has come; the sizes and call sites below tell which.";
    case FH_CACHED:
        return "It is freed memory that threads keep for their next malloc; FREEHOLD_CACHE_BYTES and "
               "FREEHOLD_MEDIUM_CACHE_BYTES bound it for each thread.";
    case FH_FREE:
        return "It is freed memory, held because live blocks stand in between, or for the next requests; freehold pins "
               "names these blocks, and malloc_trim(0) gives back what can go.";
    case FH_ROUNDING:
        return "It is gaps that no block can use: ends of slabs and of mappings.";
    default:
        return changes->tables * 2 > changes->items[FH_METADATA]
                   ? "It is the library's tables of call stacks, which it keeps because the program was started with "
                     "--sites or --profile."
                   : "It is the library's own: heads of slabs, tags, page map, states of threads.";
    }
}

static void say_growth(const struct changes *changes, bool knows_pages, char *words)
{
    char number[FH_UNIT_BYTES];
    double most = changes->items[changes->most];
    const char *name = fh_item_names[changes->most];
    if (most <= 0)
        fh_text_append(words, FH_DIFF_WORDS_BYTES, "Nothing grew.");
    else if (most * HARDLY < -changes->all)
        fh_text_append(words, FH_DIFF_WORDS_BYTES, "Hardly anything grew (\"%s\" most, by %s).", name,
                       fh_human((uint64_t)most, number));
    else
        fh_text_append(words, FH_DIFF_WORDS_BYTES, "Most grew \"%s\", by %s%s. %s", name,
                       fh_human((uint64_t)most, number), knows_pages ? " in memory" : "", growth_words(changes));
}

static void say_what_went(const struct fh_diff *diff, const struct changes *changes, char *words)
{
    char number[FH_UNIT_BYTES];
    double least = changes->items[changes->least], back = -changes->all - changes->swapped;
    double purged = change_of(diff->account[FH_BEFORE].purged_bytes, diff->account[FH_AFTER].purged_bytes);
    bool is_same = fh_image_about(diff->image[FH_BEFORE])->pid == fh_image_about(diff->image[FH_AFTER])->pid;
    if (least < 0 && -least * WORTH_SAYING >= changes->items[changes->most])
        fh_text_append(words, FH_DIFF_WORDS_BYTES, " Of \"%s\" there is %s less.", fh_item_names[changes->least],
                       fh_human((uint64_t)-least, number));
    if (changes->swapped > 0)
        fh_text_append(words, FH_DIFF_WORDS_BYTES, " %s more are swapped out.",
                       fh_human((uint64_t)changes->swapped, number));
    if (back <= 0)
        return;
    fh_text_append(words, FH_DIFF_WORDS_BYTES, " In all, the heap has %s less in memory%s",
                   fh_human((uint64_t)back, number), is_same ? ": so much went back to the kernel" : "");
    if (is_same && purged > 0)
        fh_text_append(words, FH_DIFF_WORDS_BYTES, ", %s of it as pages whose addresses are kept (\"untouched\")",
                       purged < back ? fh_human((uint64_t)purged, number) : "all");
    fh_text_append(words, FH_DIFF_WORDS_BYTES, ".");
}

void fh_diff_words(const struct fh_diff *diff, char words[FH_DIFF_WORDS_BYTES])
{
    struct changes changes = changes_of(diff);
    words[0] = '\0';
    say_growth(&changes, fh_diff_knows_pages(diff), words);
    say_what_went(diff, &changes, words);
}
