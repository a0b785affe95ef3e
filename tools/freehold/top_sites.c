/*
 * top_sites.c - the call sites that hold most: of every block where sites are kept, estimated where a profile is.
 */
#include "top.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_AS_TEXT = 20 };

/* --- by samples: sums in a table that is searched by stack, since there are few --- */

struct sums {
    struct fh_top_site *sites;
    size_t count, room;
};

static void add_sample(uint32_t stack, double objects, double bytes, void *arg)
{
    struct sums *sums = arg;
    size_t at = 0;
    while (at < sums->count && sums->sites[at].stack != stack)
        at++;
    if (at == sums->count) {
        if (sums->count == sums->room) {
            size_t room = sums->room ? 2 * sums->room : 64;
            struct fh_top_site *larger = realloc(sums->sites, room * sizeof(*larger));
            if (!larger)
                return;
            sums->sites = larger;
            sums->room = room;
        }
        sums->sites[sums->count++] = (struct fh_top_site){.stack = stack};
    }
    sums->sites[at].live_bytes += (uint64_t)(bytes + 0.5);
    sums->sites[at].live_blocks += (uint64_t)(objects + 0.5);
}

static int by_live(const void *a, const void *b)
{
    uint64_t x = ((const struct fh_top_site *)a)->live_bytes, y = ((const struct fh_top_site *)b)->live_bytes;
    return (x < y) - (x > y);
}

static void read_samples(struct fh_top *top, struct fh_sites *sites)
{
    struct sums sums = {0};
    fh_sites_each_sample(sites, add_sample, &sums);
    if (sums.count)
        qsort(sums.sites, sums.count, sizeof(*sums.sites), by_live);
    top->site_count = sums.count < FH_TOP_SITES_MOST ? sums.count : FH_TOP_SITES_MOST;
    if (top->site_count)
        memcpy(top->sites, sums.sites, top->site_count * sizeof(*top->sites));
    free(sums.sites);
}

/* --- by a walk over all blocks --- */

static bool read_blocks(struct fh_top *top, struct fh_sites *sites)
{
    struct fh_pins pins;
    uint32_t order[FH_TOP_SITES_MOST];
    bool good = fh_pins_find(top->image, sites, NULL, 0, &pins);
    size_t count = good ? fh_pins_top_sites(&pins, true, order, FH_TOP_SITES_MOST) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct fh_pin_site *site = &pins.sites[order[i]];
        top->sites[i] = (struct fh_top_site){.stack = site->stack,
                                             .live_bytes = site->sum.live_bytes,
                                             .live_blocks = site->sum.live_blocks,
                                             .held_bytes = fh_pin_total(&site->sum)};
    }
    top->site_count = count;
    fh_pins_free(&pins);
    return good;
}

/* Names are found once: those of before are kept. */
static void keep_names(struct fh_top *top, const struct fh_top_site *before, size_t count)
{
    for (size_t i = 0; i < top->site_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (before[j].stack != top->sites[i].stack || !before[j].is_named)
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
    top->sites = calloc(FH_TOP_SITES_MOST, sizeof(*top->sites));
    top->site_count = 0;
    top->sites_mode = sites ? fh_sites_mode(sites) : FH_SAMPLES_OFF;
    if (top->sites && (top->sites_mode & FH_SAMPLES_SITES))
        good = read_blocks(top, sites);
    else if (top->sites && (top->sites_mode & FH_SAMPLES_PROFILE))
        read_samples(top, sites);
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
    fh_call_stack_read(sites, top->symbols, site->stack, 1, &read);
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
        fh_screen_put(screen, FH_INK_PLAIN, "%9s  %12s  %9s  %s", fh_human(site->live_bytes, live),
                      fh_grouped(site->live_blocks, blocks), exact ? fh_human(site->held_bytes, held) : "",
                      site->place);
        if (site->caller[0])
            fh_screen_put(screen, FH_INK_DIM, " by %s", site->caller);
    }
    fh_sites_close(sites);
}
