/*
 * report_heap.c - the sections of a report that say how things stand: what dominates, the account, size classes, heaps,
 * threads, options.
 */
#include "html.h"
#include "report.h"
#include "units.h"

#include <inttypes.h>
#include <stdlib.h>

#define HEADS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

enum { ROWS_MOST = 64 };

void fh_report_put_advice(FILE *out, const struct fh_explanation *explanation)
{
    struct fh_advice list[FH_ADVICE_MOST];
    size_t count = fh_explain_collect(explanation, list);
    fputs("<h2>What dominates</h2>\n<ol class=\"advice\">\n", out);
    for (size_t i = 0; i < count; i++) {
        fputs("<li>", out);
        fh_html_text(out, list[i].text);
        fputs("<span>", out);
        fh_html_text(out, list[i].todo);
        fputs("</span></li>\n", out);
    }
    fputs("</ol>\n", out);
}

static void put_sum(FILE *out, const char *name, uint64_t bytes, uint64_t resident, bool knows_pages)
{
    fputs("<tr class=\"sum\">", out);
    fh_report_put_text_cell(out, name);
    fh_report_put_number_cell(out, bytes);
    if (knows_pages) {
        fh_report_put_number_cell(out, resident);
        fputs("<td></td>", out);
    }
    fputs("<td></td></tr>\n", out);
}

static void put_item(FILE *out, const char *name, const struct fh_image_place *item, bool knows_pages, uint64_t all,
                     const char *meaning)
{
    fputs("<tr>", out);
    fh_report_put_text_cell(out, name);
    fh_report_put_number_cell(out, item->bytes);
    if (knows_pages) {
        fh_report_put_number_cell(out, item->resident);
        fh_report_put_share_cell(out, item->resident, all);
    }
    fh_report_put_words_cell(out, meaning);
    fputs("</tr>\n", out);
}

static void put_process(FILE *out, const struct fh_explanation *explanation)
{
    uint64_t all = explanation->rss_bytes;
    fputs("<h3>The process, by the kernel's sums</h3>\n", out);
    fh_report_begin_table(out, HEADS("", "in memory", "of it", "<"));
    fputs("<tr>", out);
    fh_report_put_text_cell(out, "the heap");
    fh_report_put_number_cell(out, explanation->heap_rss_bytes);
    fh_report_put_share_cell(out, explanation->heap_rss_bytes, all);
    fputs("<td></td></tr>\n", out);
    for (int i = 0; i < FH_OTHERS; i++) {
        if (explanation->others[i].rss_bytes == 0) continue;
        fputs("<tr>", out);
        fh_report_put_text_cell(out, fh_other_names[i]);
        fh_report_put_number_cell(out, explanation->others[i].rss_bytes);
        fh_report_put_share_cell(out, explanation->others[i].rss_bytes, all);
        fh_report_put_words_cell(out, fh_other_meanings[i]);
        fputs("</tr>\n", out);
    }
    fputs("<tr class=\"sum\">", out);
    fh_report_put_text_cell(out, "resident");
    fh_report_put_number_cell(out, all);
    fputs("<td></td><td></td></tr>\n", out);
    fh_report_end_table(out);
}

void fh_report_put_account(FILE *out, const struct fh_explanation *explanation)
{
    const struct fh_image_account *account = &explanation->account;
    bool knows = explanation->about->knows_pages;
    uint64_t bytes = 0, resident = 0, all = fh_explained_resident(explanation);
    fputs("<h2>Account</h2>\n<p>Of every byte that the library has from the kernel, what it is.</p>\n", out);
    if (knows) fh_report_begin_table(out, HEADS("", "held, bytes", "in memory", "of it", "<"));
    else fh_report_begin_table(out, HEADS("", "held, bytes", "<"));
    for (int i = 0; i < FH_ITEMS; i++) {
        const struct fh_image_place item = {account->bytes[i], account->resident[i]};
        put_item(out, fh_item_names[i], &item, knows, all, fh_item_meanings[i]);
        bytes += account->bytes[i];
        resident += account->resident[i];
    }
    if (account->stack_tables.bytes)
        put_item(out, "of it tables", &account->stack_tables, knows, all, "of metadata: call stacks of blocks");
    put_sum(out, "from the kernel", bytes, resident, knows);
    if (account->gap_bytes) put_sum(out, "not readable", account->gap_bytes, 0, knows);
    fh_report_end_table(out);
    if (knows) put_process(out, explanation);
}

/* --- sizes --- */

static void put_class(FILE *out, size_t index, const struct fh_image_class_use *use)
{
    char text[FH_UNIT_BYTES];
    uint64_t size = index * 16;
    fputs("<tr>", out);
    snprintf(text, sizeof(text), "%" PRIu64, size);
    fh_report_put_text_cell(out, text);
    fh_report_put_number_cell(out, use->live);
    fh_report_put_number_cell(out, use->live * size);
    fh_report_put_number_cell(out, use->cached * size);
    fh_report_put_number_cell(out, use->free * size);
    fh_report_put_number_cell(out, use->uncarved * size);
    fh_report_put_share_cell(out, use->live * size, use->slab_bytes);
    fputs("</tr>\n", out);
}

static void put_larger(FILE *out, const struct fh_image_account *account)
{
    char text[3 * FH_UNIT_BYTES], from[FH_UNIT_BYTES], to[FH_UNIT_BYTES];
    fputs("<h3>Larger blocks</h3>\n", out);
    fh_report_begin_table(out, HEADS("bytes", "live blocks", "live, bytes", "cached", "free chunks", "free"));
    for (size_t i = 0; i < 63; i++) {
        const struct fh_image_size_use *use = &account->sizes[i];
        if (use->live_blocks + use->free_blocks + use->cached_bytes == 0) continue;
        fh_grouped((uint64_t)1 << i, from);
        fh_grouped(((uint64_t)2 << i) - 1, to);
        snprintf(text, sizeof(text), "%s to %s", from, to);
        fputs("<tr>", out);
        fh_report_put_text_cell(out, text);
        fh_report_put_number_cell(out, use->live_blocks);
        fh_report_put_number_cell(out, use->live_bytes);
        fh_report_put_number_cell(out, use->cached_bytes);
        fh_report_put_number_cell(out, use->free_blocks);
        fh_report_put_number_cell(out, use->free_bytes);
        fputs("</tr>\n", out);
    }
    fh_report_end_table(out);
}

void fh_report_put_sizes(FILE *out, const struct fh_explanation *explanation)
{
    const struct fh_image_account *account = &explanation->account;
    fputs("<h2>Sizes</h2>\n<h3>Small blocks, in slabs</h3>\n", out);
    fh_report_begin_table(
        out, HEADS("object", "live blocks", "live, bytes", "cached", "free", "never given out", "live part of slabs"));
    for (size_t i = 1; i < FH_CLASSES_MOST; i++) {
        if (account->classes[i].slabs) put_class(out, i, &account->classes[i]);
    }
    fh_report_end_table(out);
    put_larger(out, account);
}

/* --- threads, heaps, options --- */

static int by_slabs(const void *a, const void *b)
{
    const struct fh_image_thread *x = a, *y = b;
    uint64_t x_bytes = x->slab_bytes + x->cached_bytes, y_bytes = y->slab_bytes + y->cached_bytes;
    return (x_bytes < y_bytes) - (x_bytes > y_bytes);
}

void fh_report_put_threads(FILE *out, struct fh_image *image)
{
    struct fh_thread_names names;
    char text[FH_THREAD_NAME_BYTES];
    fh_thread_names_open(image, &names);
    if (names.count) qsort(names.threads, names.count, sizeof(*names.threads), by_slabs);
    fputs("<h2>Threads</h2>\n", out);
    if (names.count > ROWS_MOST) fprintf(out, "<p>The %d with most of %zu.</p>\n", ROWS_MOST, names.count);
    fh_report_begin_table(out, HEADS("thread", "heap", "slabs, bytes", "cached", "on the way to others"));
    for (size_t i = 0; i < names.count && i < ROWS_MOST; i++) {
        const struct fh_image_thread *thread = &names.threads[i];
        fputs("<tr>", out);
        fh_report_put_text_cell(out, fh_thread_name(&names, thread->id, text));
        fh_report_put_number_cell(out, thread->heap);
        fh_report_put_number_cell(out, thread->slab_bytes);
        fh_report_put_number_cell(out, thread->cached_bytes);
        fh_report_put_number_cell(out, thread->outgoing_bytes);
        fputs("</tr>\n", out);
    }
    fh_report_end_table(out);
    fh_thread_names_close(&names);
}

void fh_report_put_heaps(FILE *out, const struct fh_image_counters *counters)
{
    fputs("<h2>Heaps</h2>\n", out);
    fh_report_begin_table(
        out, HEADS("heap", "held, bytes", "in use", "of it slabs", "free in bins", "top", "of it untouched"));
    for (size_t i = 0; i < FH_HEAPS_SHOWN; i++) {
        const struct fh_image_heap *heap = &counters->heap[i];
        char text[FH_UNIT_BYTES];
        if (heap->total_bytes == 0) continue;
        fputs("<tr>", out);
        snprintf(text, sizeof(text), "%zu", i);
        fh_report_put_text_cell(out, text);
        fh_report_put_number_cell(out, heap->total_bytes);
        fh_report_put_number_cell(out, heap->used_bytes);
        fh_report_put_number_cell(out, heap->slab_bytes);
        fh_report_put_number_cell(out, heap->free_bytes);
        fh_report_put_number_cell(out, heap->top_bytes);
        fh_report_put_number_cell(out, heap->untouched_bytes);
        fputs("</tr>\n", out);
    }
    fh_report_end_table(out);
}

void fh_report_put_options(FILE *out, struct fh_image *image)
{
    const struct fh_image_root *root = fh_image_root(image);
    const struct {
        const char *name;
        struct fh_image_field field;
    } options[] = {
        {"FREEHOLD_MMAP_THRESHOLD", root->option_mmap_threshold},
        {"FREEHOLD_TRIM_THRESHOLD", root->option_trim_threshold},
        {"FREEHOLD_TOP_PAD", root->option_top_pad},
        {"FREEHOLD_RETURN", root->option_give_back},
        {"FREEHOLD_ARENA_MAX", root->option_arena_max},
        {"FREEHOLD_CACHE_BYTES", root->option_cache_bytes},
        {"FREEHOLD_MEDIUM_CACHE_BYTES", root->option_medium_cache_bytes},
    };
    fputs("<h2>Options</h2>\n", out);
    fh_report_begin_table(out, HEADS("variable", "value"));
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i].field.bytes == 0) continue; /* a version without it */
        fputs("<tr>", out);
        fh_report_put_text_cell(out, options[i].name);
        fh_report_put_number_cell(
            out, fh_image_read_number(image, FH_IMAGE_AT(root->options, options[i].field), options[i].field.bytes));
        fputs("</tr>\n", out);
    }
    fh_report_end_table(out);
}
