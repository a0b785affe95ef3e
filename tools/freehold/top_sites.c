/*
 * top_sites.c - the call sites that hold most: of every block where sites are kept, estimated where a profile is.
 */
#include "top.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_AS_TEXT = 20 };

/* Names are found once: those of before are kept. */
static void keep_names(struct fh_top *top, const struct fh_top_site *before, size_t count)
{
    for (size_t i = 0; i < top->site_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (before[j].holding.stack != top->sites[i].holding.stack || !before[j].is_named)
                continue;
            memcpy(top->sites[i].place, before[j].place, sizeof(before[j].place));
            memcpy(top->sites[i].caller, before[j].caller, sizeof(before[j].caller));
            top->sites[i].is_named = true;
        }
    }
}

bool fh_top_read_sites(struct fh_top *top)
{
    struct fh_sites *sites = fh_sites_open(top->image);
    struct fh_top_site *before = top->sites;
    size_t count = top->site_count;
    bool good = true;
    struct fh_holding holding[FH_TOP_SITES_MOST];
    top->sites = calloc(FH_TOP_SITES_MOST, sizeof(*top->sites));
    top->site_count = 0;
    top->sites_mode = sites ? fh_sites_mode(sites) : FH_SAMPLES_OFF;
    if (top->sites && sites)
        good = fh_holding_find(top->image, sites, holding, FH_TOP_SITES_MOST, &top->site_count);
    for (size_t i = 0; i < top->site_count; i++)
        top->sites[i].holding = holding[i];
    keep_names(top, before, count);
    free(before);
    fh_sites_close(sites);
    return good;
}

/* --- showing --- */

static void find_name(struct fh_top *top, struct fh_sites *sites, struct fh_top_site *site)
{
    struct fh_call_stack read;
    if (!top->symbols)
        top->symbols = fh_symbols_open(top->image);
    fh_call_stack_read(sites, top->symbols, site->holding.stack, 1, &read);
    snprintf(site->place, sizeof(site->place), "an unknown place");
    if (read.count)
        fh_source_text(&read.sources[read.own], false, site->place, sizeof(site->place));
    if (read.own + 1 < read.count)
        fh_source_text(&read.sources[read.own + 1], false, site->caller, sizeof(site->caller));
    site->is_named = true;
}

void fh_top_show_sites(struct fh_top *top, struct fh_screen *screen, int lines, int scroll)
{
    char live[FH_UNIT_BYTES], blocks[FH_UNIT_BYTES], held[FH_UNIT_BYTES];
    struct fh_sites *sites = NULL;
    fh_screen_line(screen);
    if (top->sites_mode == FH_SAMPLES_OFF) {
        fh_screen_put(screen, FH_INK_PLAIN, "No call stacks are kept: 'freehold run --sites -- COMMAND' keeps");
        fh_screen_line(screen);
        fh_screen_put(screen, FH_INK_PLAIN, "those of all blocks, 'freehold run --profile -- COMMAND' those of some.");
        return;
    }
    bool exact = top->sites_mode & FH_SAMPLES_SITES;
    fh_screen_put(screen, FH_INK_TITLE, "%9s  %12s  %9s  %s", "live", "blocks", exact ? "holds" : "",
                  exact ? "made by" : "made by (estimated from samples)");
    size_t end = (size_t)scroll + (lines ? (size_t)lines - 1 : ROWS_AS_TEXT);
    for (size_t i = (size_t)scroll; i < top->site_count && i < end; i++) {
        struct fh_top_site *site = &top->sites[i];
        if (!site->is_named && !sites)
            sites = fh_sites_open(top->image);
        if (!site->is_named && sites)
            find_name(top, sites, site);
        fh_screen_line(screen);
        const struct fh_holding *holding = &site->holding;
        fh_screen_put(screen, FH_INK_PLAIN, "%9s  %12s  %9s  %s", fh_human(holding->live_bytes, live),
                      fh_grouped(holding->live_blocks, blocks), exact ? fh_human(holding->held_bytes, held) : "",
                      site->place);
        if (site->caller[0])
            fh_screen_put(screen, FH_INK_DIM, " by %s", site->caller);
    }
    fh_sites_close(sites);
}
