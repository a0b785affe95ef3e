/*
 * top.h - what `freehold top` reads of a process, and how it is shown.
 *
 * Counters are read at every step; what takes a walk over the heap (map, call sites) only when it is shown, and so
 * seldom that it takes at most a twentieth of the time.
 */
#ifndef FREEHOLD_TOOL_TOP_H
#define FREEHOLD_TOOL_TOP_H

#include "holding.h"
#include "pins_report.h"
#include "screen.h"

enum fh_top_view { FH_TOP_ACCOUNT, FH_TOP_MAP, FH_TOP_SIZES, FH_TOP_HEAPS, FH_TOP_THREADS, FH_TOP_SITES, FH_TOP_VIEWS };
extern const char *const fh_top_view_names[FH_TOP_VIEWS];

/* A part of the heap's addresses: bytes that are live; freed and kept by threads; free and in memory. */
enum fh_top_item { FH_CELL_LIVE, FH_CELL_CACHED, FH_CELL_FREE, FH_CELL_ITEMS };
struct fh_top_cell {
    uint64_t start;
    uint64_t bytes[FH_CELL_ITEMS];
};

/* A call site, by the blocks of it that live. */
struct fh_top_site {
    struct fh_holding holding;
    char place[96], caller[96]; /* found when they are first shown */
    bool is_named;
};

enum { FH_TOP_HISTORY = 1024, FH_TOP_CELLS = 4096, FH_TOP_SITES_MOST = 200 };
struct fh_top {
    struct fh_image *image;
    const struct fh_image_about *about;
    bool has_ended;
    uint64_t ended_s; /* CLOCK_REALTIME */
    struct fh_image_counters counters;
    uint64_t rss_bytes;
    struct fh_top_moment {
        uint64_t rss_bytes, live_bytes;
    } history[FH_TOP_HISTORY]; /* a ring */
    size_t moments;            /* all that there were */

    struct fh_thread_names threads;

    struct fh_top_cell *cells;
    size_t cell_count;
    uint64_t cell_bytes; /* of addresses, for each */
    bool cells_know_blocks; /* false: only what is in memory; the heap is too large to be walked often */
    uint64_t cells_at_ms, cells_took_ms;

    struct fh_top_site *sites;
    size_t site_count;
    uint32_t sites_mode; /* of enum fh_samples_mode: whether they are exact, or estimated from samples */
    uint64_t sites_at_ms, sites_took_ms;
    struct fh_symbols *symbols;
};

/* 0, or an exit status when the reason has been printed. */
int fh_top_open(struct fh_top *top, const char *word);
void fh_top_close(struct fh_top *top);
/* Reads what changes: the counters, and what `view` needs if it is time (`now`: in any case). Sets has_ended. */
void fh_top_read(struct fh_top *top, enum fh_top_view view, bool now);

/* Shows a view below its title: at most `lines` lines (0: as many as it takes), from line `scroll` of its table on. */
void fh_top_show(struct fh_top *top, enum fh_top_view view, struct fh_screen *screen, int lines, int scroll);
void fh_top_show_sites(struct fh_top *top, struct fh_screen *screen, int lines, int scroll);
void fh_top_show_map(struct fh_top *top, struct fh_screen *screen, int lines, int scroll);
/* The heap in one line of cells. */
void fh_top_show_strip(struct fh_top *top, struct fh_screen *screen, int width);
/* Which process, and what it is like. */
void fh_top_show_head(struct fh_top *top, struct fh_screen *screen);
void fh_top_print_json(struct fh_top *top);

/* Maps and sites. */
bool fh_top_read_cells(struct fh_top *top);
bool fh_top_read_sites(struct fh_top *top);

/* The processes of this user (of all, for root) that run on freehold, the largest first. */
struct fh_top_process {
    pid_t pid;
    uint64_t started; /* tells apart processes that have the same number one after the other */
    bool is_ours, is_seen;
    struct fh_image *image; /* NULL: not on freehold, or may not be read */
    char name[64];
    uint64_t rss_bytes, live_bytes, free_bytes, cached_bytes;
    uint32_t threads;
};
struct fh_top_list {
    struct fh_top_process *all; /* every process that has been looked at; those on freehold first */
    size_t all_count, room;
    size_t count; /* on freehold */
};
void fh_top_list_read(struct fh_top_list *list);
void fh_top_list_free(struct fh_top_list *list);
void fh_top_list_show(const struct fh_top_list *list, struct fh_screen *screen, int lines, int chosen);
void fh_top_list_print_json(const struct fh_top_list *list);

/* On a terminal until the user has enough. `top` NULL: begins with the list. top_curses.c, or top_none.c where
 * ncursesw was not there to build with. An exit status. */
int fh_top_run(struct fh_top *top, double interval_s);

#endif
