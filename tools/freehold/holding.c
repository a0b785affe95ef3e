/*
 * holding.c - see holding.h.
 */
#include "holding.h"

#include "pins.h"

#include <stdlib.h>
#include <string.h>

/* --- by samples: sums in a table that is searched by stack, since there are few --- */

struct sums {
    struct fh_holding *each;
    size_t count, room;
};

static void add_sample(uint32_t stack, double objects, double bytes, void *arg)
{
    struct sums *sums = arg;
    size_t at = 0;
    while (at < sums->count && sums->each[at].stack != stack)
        at++;
    if (at == sums->count) {
        if (sums->count == sums->room) {
            size_t room = sums->room ? 2 * sums->room : 64;
            struct fh_holding *larger = realloc(sums->each, room * sizeof(*larger));
            if (!larger)
                return;
            sums->each = larger;
            sums->room = room;
        }
        sums->each[sums->count++] = (struct fh_holding){.stack = stack};
    }
    sums->each[at].live_bytes += (uint64_t)(bytes + 0.5);
    sums->each[at].live_blocks += (uint64_t)(objects + 0.5);
}

static int by_live(const void *a, const void *b)
{
    uint64_t x = ((const struct fh_holding *)a)->live_bytes, y = ((const struct fh_holding *)b)->live_bytes;
    return (x < y) - (x > y);
}

static size_t read_samples(struct fh_sites *sites, struct fh_holding *list, size_t most)
{
    struct sums sums = {0};
    fh_sites_each_sample(sites, add_sample, &sums);
    size_t count = sums.count < most ? sums.count : most;
    if (count) {
        qsort(sums.each, sums.count, sizeof(*sums.each), by_live);
        memcpy(list, sums.each, count * sizeof(*list));
    }
    free(sums.each);
    return count;
}

/* --- by a walk over all blocks --- */

static bool read_blocks(struct fh_image *image, struct fh_sites *sites, struct fh_holding *list, size_t most,
                        size_t *count)
{
    struct fh_pins pins;
    uint32_t *order = malloc(most * sizeof(*order));
    bool good = fh_pins_find(image, sites, NULL, 0, &pins) && order;
    *count = good ? fh_pins_top_sites(&pins, true, order, most) : 0;
    for (size_t i = 0; i < *count; i++) {
        const struct fh_pin_site *site = &pins.sites[order[i]];
        list[i] = (struct fh_holding){.stack = site->stack,
                                      .live_bytes = site->sum.live_bytes,
                                      .live_blocks = site->sum.live_blocks,
                                      .held_bytes = fh_pin_total(&site->sum)};
    }
    fh_pins_free(&pins);
    free(order);
    return good;
}

bool fh_holding_find(struct fh_image *image, struct fh_sites *sites, struct fh_holding *list, size_t most,
                     size_t *count)
{
    uint32_t mode = fh_sites_mode(sites);
    if (mode & FH_SAMPLES_SITES)
        return read_blocks(image, sites, list, most, count);
    *count = mode & FH_SAMPLES_PROFILE ? read_samples(sites, list, most) : 0;
    return true;
}
