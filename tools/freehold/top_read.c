/*
 * top_read.c - reading a process again and again.
 */
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RESTS = 20 /* times what a walk took */ };

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int fh_top_open(struct fh_top *top, const char *word)
{
    memset(top, 0, sizeof(*top));
    int status = fh_image_open("top", word, 0, &top->image);
    if (status == 0)
        top->about = fh_image_about(top->image);
    return status;
}

void fh_top_close(struct fh_top *top)
{
    fh_symbols_close(top->symbols);
    fh_thread_names_close(&top->threads);
    free(top->cells);
    free(top->sites);
    fh_image_close(top->image);
    memset(top, 0, sizeof(*top));
}

/* False when the process has ended. */
static bool read_rss(struct fh_top *top)
{
    top->rss_bytes = fh_image_rss(top->image);
    return top->rss_bytes > 0 || top->about->kind != FH_IMAGE_PROCESS;
}

static void note_end(struct fh_top *top)
{
    if (!top->has_ended)
        top->ended_s = (uint64_t)time(NULL);
    top->has_ended = true;
}

void fh_top_read(struct fh_top *top, enum fh_top_view view, bool now)
{
    struct fh_image_counters counters;
    uint64_t rss_before = top->rss_bytes;
    if (top->has_ended)
        return;
    if (!read_rss(top) || !fh_image_counters(top->image, &counters) || counters.states == 0) {
        top->rss_bytes = rss_before; /* the last that was read stays on the screen */
        note_end(top);
        return;
    }
    top->counters = counters;
    top->history[top->moments++ % FH_TOP_HISTORY] =
        (struct fh_top_moment){top->rss_bytes, top->counters.bytes[FH_LIVE]};
    if (view == FH_TOP_THREADS || now) {
        fh_thread_names_close(&top->threads);
        fh_thread_names_open(top->image, &top->threads);
    }
    uint64_t start = now_ms();
    bool has_map = view == FH_TOP_ACCOUNT || view == FH_TOP_MAP;
    if (now || (has_map && start >= top->cells_at_ms + RESTS * top->cells_took_ms)) {
        if (!fh_top_read_cells(top))
            note_end(top);
        top->cells_at_ms = now_ms();
        top->cells_took_ms = top->cells_at_ms - start;
    }
    start = now_ms();
    if (now || (view == FH_TOP_SITES && start >= top->sites_at_ms + RESTS * top->sites_took_ms)) {
        if (!fh_top_read_sites(top))
            note_end(top);
        top->sites_at_ms = now_ms();
        top->sites_took_ms = top->sites_at_ms - start;
    }
}
