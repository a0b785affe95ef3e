/*
 * top_views.c - the views of `freehold top`, line by line: account, sizes, heaps, threads.
 */
#include "top.h"
#include "units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    NAME_COLUMNS = 11,
    NUMBER_COLUMNS = 20,
    SCALE_COLUMNS = 10,
    GRAPH_LEAST = 3,
    GRAPH_MOST = 16,
    ROWS_AS_TEXT = 20
};

const char *const fh_top_view_names[FH_TOP_VIEWS] = {"account", "map", "sizes", "heaps", "threads", "sites"};

void fh_top_show_head(struct fh_top *top, struct fh_screen *screen)
{
    char name[FH_IMAGE_NAME_BYTES], rss[FH_UNIT_BYTES], live[FH_UNIT_BYTES], blocks[FH_UNIT_BYTES];
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "%s", fh_image_name(top->about, name));
    if (top->rss_bytes) /* a core does not say it */
        fh_screen_put(screen, FH_INK_PLAIN, "  RSS %s,", fh_human(top->rss_bytes, rss));
    fh_screen_put(screen, FH_INK_PLAIN, "%s live %s in %s blocks", top->rss_bytes ? "" : " ",
                  fh_human(top->counters.bytes[FH_LIVE], live), fh_grouped(top->counters.live_blocks, blocks));
    if (top->has_ended) {
        time_t when = (time_t)top->ended_s;
        struct tm local;
        char text[16] = "";
        if (localtime_r(&when, &local))
            strftime(text, sizeof(text), "%H:%M:%S", &local);
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_ALARM, "It ended at %s; this is the last that was read.", text);
    }
}

/* --- account --- */

static const enum fh_ink item_inks[FH_ITEMS] = {FH_INK_LIVE, FH_INK_OTHER, FH_INK_OTHER,
                                                FH_INK_FREE, FH_INK_DIM,   FH_INK_OTHER};

static void show_items(struct fh_top *top, struct fh_screen *screen)
{
    const struct fh_image_counters *counters = &top->counters;
    char number[FH_UNIT_BYTES];
    uint64_t most = 0;
    for (int i = 0; i < FH_ITEMS; i++)
        most = counters->bytes[i] > most ? counters->bytes[i] : most;
    for (int i = 0; i < FH_ITEMS; i++) {
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "%-*s%*s  ", NAME_COLUMNS, fh_item_names[i], NUMBER_COLUMNS,
                      fh_grouped(counters->bytes[i], number));
        int width = screen->columns - screen->column;
        fh_screen_bar(screen, item_inks[i], (double)counters->bytes[i], (double)most, width > 45 ? 45 : width);
    }
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_PLAIN, "%-*s%*s  ", NAME_COLUMNS, "= sum", NUMBER_COLUMNS,
                  fh_grouped(counters->obtained_bytes - counters->returned_bytes, number));
    fh_screen_put(screen, FH_INK_DIM, "%" PRIu64 " heap%s, %" PRIu64 " thread%s", counters->heaps,
                  counters->heaps == 1 ? "" : "s", counters->threads, counters->threads == 1 ? "" : "s");
}

/* The part of a cell, `row` rows above the ground, that a column of so many eighths fills. */
static uint32_t column_glyph(const struct fh_screen *screen, int eighths, int row)
{
    int here = eighths - 8 * row;
    if (!screen->unicode)
        return here >= 4 ? '#' : ' ';
    return here >= 8 ? 0x2588 : here > 0 ? 0x2580 + (uint32_t)here : ' '; /* 0x2581 is one eighth, from below */
}

/* RSS over time, and the part of it that is live. */
static void show_graph(struct fh_top *top, struct fh_screen *screen, int rows)
{
    size_t room = screen->columns > SCALE_COLUMNS ? (size_t)(screen->columns - SCALE_COLUMNS) : 1;
    size_t count = top->moments < FH_TOP_HISTORY ? top->moments : FH_TOP_HISTORY;
    count = count < room ? count : room;
    uint64_t most = 1;
    for (size_t i = top->moments - count; i < top->moments; i++) {
        const struct fh_top_moment *moment = &top->history[i % FH_TOP_HISTORY];
        most = moment->rss_bytes > most ? moment->rss_bytes : most;
        most = moment->live_bytes > most ? moment->live_bytes : most;
    }
    for (int row = rows - 1; row >= 0; row--) {
        char text[FH_UNIT_BYTES];
        fh_screen_line(screen);
        if (row == rows - 1)
            fh_screen_put(screen, FH_INK_DIM, "%9s ", fh_human(most, text));
        fh_screen_column(screen, SCALE_COLUMNS);
        for (size_t i = top->moments - count; i < top->moments; i++) {
            const struct fh_top_moment *moment = &top->history[i % FH_TOP_HISTORY];
            int rss = (int)((double)moment->rss_bytes / (double)most * rows * 8 + 0.5);
            int live = (int)((double)moment->live_bytes / (double)most * rows * 8 + 0.5);
            bool is_live = live - 8 * row >= 4 || (live > 8 * row && rss <= live);
            if (is_live)
                fh_screen_glyph(screen, FH_INK_LIVE, column_glyph(screen, live, row));
            else if (screen->unicode)
                fh_screen_glyph(screen, FH_INK_FREE, rss - 8 * row >= 4 ? 0x2591 : ' ');
            else
                fh_screen_glyph(screen, FH_INK_FREE, rss - 8 * row >= 4 ? ':' : ' ');
        }
    }
}

static void show_account(struct fh_top *top, struct fh_screen *screen, int lines)
{
    enum { OTHER_LINES = 7 + 4 };
    int rows = lines ? lines - OTHER_LINES : 0;
    rows = rows > GRAPH_MOST ? GRAPH_MOST : rows;
    show_items(top, screen);
    if (rows >= GRAPH_LEAST) {
        fh_screen_line(screen);
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_TITLE, "over time: ");
        fh_screen_put(screen, FH_INK_LIVE, "%s live ", screen->unicode ? "\xe2\x96\x88" : "#");
        fh_screen_put(screen, FH_INK_FREE, "%s the rest of RSS", screen->unicode ? "\xe2\x96\x91" : ":");
        show_graph(top, screen, rows);
    }
    fh_screen_line(screen);
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "map ");
    fh_screen_column(screen, SCALE_COLUMNS);
    fh_top_show_strip(top, screen, screen->columns - screen->column);
}

/* --- tables --- */

struct size_row {
    uint32_t class;
    uint64_t live, cached, free; /* objects */
};

static int by_bytes(const void *a, const void *b)
{
    const struct size_row *x = a, *y = b;
    uint64_t of_x = (x->live + x->cached + x->free) * x->class, of_y = (y->live + y->cached + y->free) * y->class;
    return (of_x < of_y) - (of_x > of_y);
}

/* Whether a table goes on with its row `row`, when so many lines are left for rows. */
static bool has_room(int lines, int row) { return row < (lines ? lines - 1 : ROWS_AS_TEXT); }

static void show_sizes(struct fh_top *top, struct fh_screen *screen, int lines, int scroll)
{
    const struct fh_image_counters *counters = &top->counters;
    struct size_row rows[FH_CLASSES_MOST];
    char live[FH_UNIT_BYTES], bytes[FH_UNIT_BYTES], cached[FH_UNIT_BYTES], vacant[FH_UNIT_BYTES];
    int count = 0;
    for (uint32_t i = 1; i < FH_CLASSES_MOST; i++) {
        const struct fh_image_class *class = &counters->classes[i];
        uint64_t away = class->listed + class->cached;
        if (class->slabs == 0)
            continue;
        rows[count++] = (struct size_row){.class = i * 16,
                                          .live = class->carved > away ? class->carved - away : 0,
                                          .cached = class->cached,
                                          .free = class->listed + class->capacity - class->carved};
    }
    qsort(rows, (size_t)count, sizeof(*rows), by_bytes);
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "%6s %14s %10s %10s %10s  %s", "size", "live", "bytes", "cached", "free",
                  "live of the slabs' bytes");
    for (int i = scroll; i < count && has_room(lines, i - scroll); i++) {
        const struct size_row *row = &rows[i];
        double all = (double)(row->live + row->cached + row->free);
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "%6u %14s %10s %10s %10s %4.0f %% ", row->class,
                      fh_grouped(row->live, live), fh_human(row->live * row->class, bytes),
                      fh_human(row->cached * row->class, cached), fh_human(row->free * row->class, vacant),
                      all > 0 ? 100 * (double)row->live / all : 0);
        int width = screen->columns - screen->column;
        fh_screen_bar(screen, FH_INK_LIVE, (double)row->live, all, width > 20 ? 20 : width);
    }
    if (scroll == 0 && counters->large_blocks) {
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "%6s %14s %10s", "large", fh_grouped(counters->large_blocks, live),
                      fh_human(counters->large_bytes, bytes));
    }
}

static void show_heaps(struct fh_top *top, struct fh_screen *screen, int lines, int scroll)
{
    char total[FH_UNIT_BYTES], used[FH_UNIT_BYTES], slabs[FH_UNIT_BYTES], vacant[FH_UNIT_BYTES];
    char touched[FH_UNIT_BYTES], untouched[FH_UNIT_BYTES];
    int row = 0;
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "%4s %10s %10s %10s %10s %10s %10s", "heap", "size", "in use", "in slabs",
                  "free", "top", "untouched");
    for (int i = 0; i < FH_HEAPS_SHOWN; i++) {
        const struct fh_image_heap *heap = &top->counters.heap[i];
        if (heap->total_bytes == 0 || row++ < scroll)
            continue;
        if (!has_room(lines, row - 1 - scroll))
            break;
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "%4d %10s %10s %10s %10s %10s %10s", i, fh_human(heap->total_bytes, total),
                      fh_human(heap->used_bytes, used), fh_human(heap->slab_bytes, slabs),
                      fh_human(heap->free_bytes, vacant), fh_human(heap->top_bytes - heap->untouched_bytes, touched),
                      fh_human(heap->untouched_bytes, untouched));
    }
}

static void show_threads(struct fh_top *top, struct fh_screen *screen, int lines, int scroll)
{
    char slabs[FH_UNIT_BYTES], cached[FH_UNIT_BYTES], outgoing[FH_UNIT_BYTES], name[FH_THREAD_NAME_BYTES];
    fh_screen_line(screen);
    fh_screen_put(screen, FH_INK_TITLE, "%-26s %4s %10s %10s %14s", "thread", "heap", "slabs", "cached",
                  "for others");
    for (size_t i = (size_t)scroll; i < top->threads.count && has_room(lines, (int)i - scroll); i++) {
        const struct fh_image_thread *thread = &top->threads.threads[i];
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "%-26.26s %4u %10s %10s %14s",
                      fh_thread_name(&top->threads, thread->id, name), thread->heap,
                      fh_human(thread->slab_bytes, slabs), fh_human(thread->cached_bytes, cached),
                      fh_human(thread->outgoing_bytes, outgoing));
    }
}

void fh_top_show(struct fh_top *top, enum fh_top_view view, struct fh_screen *screen, int lines, int scroll)
{
    switch (view) {
    case FH_TOP_ACCOUNT:
        show_account(top, screen, lines);
        break;
    case FH_TOP_MAP:
        fh_top_show_map(top, screen, lines, scroll);
        break;
    case FH_TOP_SIZES:
        show_sizes(top, screen, lines, scroll);
        break;
    case FH_TOP_HEAPS:
        show_heaps(top, screen, lines, scroll);
        break;
    case FH_TOP_THREADS:
        show_threads(top, screen, lines, scroll);
        break;
    default:
        fh_top_show_sites(top, screen, lines, scroll);
    }
}
