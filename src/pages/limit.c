/*
 * limit.c - see limit.h.
 *
 * Layer: pages. Owns the limits' state and the trim epoch.
 */
#include "limit.h"

#include "options.h"
#include "os.h"
#include "wholesale.h"

enum {
    SOFT_SHARE = 16,       /* after a purge the soft limit counts again when so much of it more is held */
    FIRST_LOOK = 32 << 20, /* held below which no cgroup is looked at: most programs never ask */
    LOOK_SHARE = 64,       /* and then with every such part of its limit, from half of it on */
    NEAR_SHARE = 8,        /* less than this part of the limit is left: some urgency; */
    FULL_SHARE = 32        /* this: all there is */
};

struct fh_limit fh_limit;
uint32_t fh_trim_epoch;

size_t fh_limit_held(void)
{
    const struct fh_wholesale *ledger = &fh_wholesale;
    size_t held = fh_load_relaxed(&ledger->obtained_bytes) - fh_load_relaxed(&ledger->returned_bytes);
    size_t own = fh_load_relaxed(&ledger->pagemap_bytes) + fh_load_relaxed(&ledger->state_bytes) +
                 fh_load_relaxed(&ledger->stranded_bytes);
    return held > own ? held - own : 0;
}

bool fh_limit_allows(size_t bytes)
{
    size_t hard = fh_load_relaxed(&fh_options.hard_limit), sum;
    return !hard || (!__builtin_add_overflow(fh_limit_held(), bytes, &sum) && sum <= hard);
}

void fh_limit_want(void)
{
    fh_store_relaxed(&fh_limit.wanted, 1);
    fh_fetch_add_relaxed(&fh_trim_epoch, 1);
}

static void check_soft(size_t held)
{
    size_t soft = fh_load_relaxed(&fh_options.soft_limit), at = fh_load_relaxed(&fh_limit.next_soft_bytes);
    if (!soft || held <= fh_max(soft, at)) return;
    fh_store_relaxed(&fh_limit.next_soft_bytes, held + soft / SOFT_SHARE); /* until relief says better */
    fh_limit_want();
}

/* Limits are read once; how much of them is used, when this process has grown by a part of it. */
void fh_limit_look(void)
{
    if (!fh_load_relaxed(&fh_limit.look) || !fh_exchange_acquire(&fh_limit.look, 0)) return;
    size_t held = fh_limit_held(), limit = fh_load_relaxed(&fh_limit.group_bytes);
    if (!limit) {
        limit = fh_os_memory_limit();
        fh_store_relaxed(&fh_limit.group_bytes, limit);
    }
    if (limit == SIZE_MAX) return; /* and never again */
    fh_store_relaxed(&fh_limit.next_look_bytes, fh_max(limit / 2, held + limit / LOOK_SHARE));
    if (held < limit / 2) return;
    size_t used = fh_os_memory_used(), left = used < limit ? limit - used : 0;
    uint32_t urgency = left < limit / FULL_SHARE   ? FH_URGENCY_FULL
                       : left < limit / NEAR_SHARE ? FH_URGENCY_SOME
                                                   : FH_URGENCY_NONE;
    fh_store_relaxed(&fh_limit.urgency, urgency);
    if (urgency != FH_URGENCY_NONE) fh_limit_want();
}

void fh_limit_note_growth(void)
{
    size_t held = fh_limit_held();
    check_soft(held);
    if (FH_LIKELY(held < fh_max(fh_load_relaxed(&fh_limit.next_look_bytes), FIRST_LOOK))) return;
    fh_store_relaxed(&fh_limit.next_look_bytes, SIZE_MAX); /* the look says when next */
    fh_store_relaxed(&fh_limit.look, 1);
    fh_fetch_add_relaxed(&fh_trim_epoch, 1);
}

void fh_limit_note_relief(void)
{
    size_t held = fh_limit_held(), soft = fh_load_relaxed(&fh_options.soft_limit);
    fh_store_relaxed(&fh_limit.next_soft_bytes, held + soft / SOFT_SHARE);
    size_t limit = fh_load_relaxed(&fh_limit.group_bytes);
    if (limit && limit != SIZE_MAX)
        fh_store_relaxed(&fh_limit.next_look_bytes, fh_max(limit / 2, held + limit / LOOK_SHARE));
}
