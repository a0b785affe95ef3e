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

/* What the word says. A fork that tore the ledger may leave it a little too low, and below 0 in the end. */
static size_t counted(size_t held) { return held <= SIZE_MAX / 2 ? held : 0; }

size_t fh_limit_held(void) { return counted(fh_load_relaxed(&fh_limit.held_bytes)); }

bool fh_limit_take(size_t bytes)
{
    size_t held = fh_load_relaxed(&fh_limit.held_bytes), hard = fh_load_relaxed(&fh_options.hard_limit), sum;
    do { /* threads that ask together must not pass together */
        if (hard && (__builtin_add_overflow(counted(held), bytes, &sum) || sum > hard)) return false;
    } while (!fh_cas_acquire(&fh_limit.held_bytes, &held, held + bytes));
    return true;
}

/* From half of a cgroup's limit on it is looked at; 0 while there is none, or none is known. */
static size_t group_half(void)
{
    size_t limit = fh_load_acquire(&fh_limit.group_bytes);
    return limit == SIZE_MAX ? 0 : limit / 2;
}

static void ask_for_look(void)
{
    fh_store_relaxed(&fh_limit.look, 1);
    fh_fetch_add_relaxed(&fh_trim_epoch, 1);
}

/* The marks that growth has left are no good below what they are marks of. */
static void note_shrink(size_t held)
{
    if (fh_load_relaxed(&fh_limit.next_soft_bytes) && held <= fh_load_relaxed(&fh_options.soft_limit))
        fh_store_relaxed(&fh_limit.next_soft_bytes, 0);
    size_t half = group_half();
    if (held < half) {
        fh_store_relaxed(&fh_limit.group_urgency, FH_URGENCY_NONE);
        if (fh_load_relaxed(&fh_limit.next_look_bytes) > half) fh_store_relaxed(&fh_limit.next_look_bytes, half);
    } else if (fh_load_relaxed(&fh_limit.group_urgency) != FH_URGENCY_NONE && !fh_load_relaxed(&fh_limit.look) &&
               held + 2 * half / LOOK_SHARE < fh_load_relaxed(&fh_limit.looked_bytes)) {
        ask_for_look(); /* is it still urgent? */
    }
}

void fh_limit_give(size_t bytes)
{
    size_t before = fh_fetch_sub_relaxed(&fh_limit.held_bytes, bytes);
    note_shrink(counted(before - bytes));
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
    size_t held = fh_limit_held(), limit = fh_load_acquire(&fh_limit.group_bytes);
    if (!limit) {
        limit = fh_os_memory_limit();
        fh_store_release(&fh_limit.group_bytes, limit);
    }
    if (limit == SIZE_MAX) return; /* and never again */
    size_t used = held < limit / 2 ? 0 : fh_os_memory_used(), left = used < limit ? limit - used : 0;
    uint32_t urgency = left < limit / FULL_SHARE   ? FH_URGENCY_FULL
                       : left < limit / NEAR_SHARE ? FH_URGENCY_SOME
                                                   : FH_URGENCY_NONE;
    fh_store_relaxed(&fh_limit.looked_bytes, held);
    fh_store_relaxed(&fh_limit.group_urgency, urgency);
    /* Asked for as it shrinks: it gives back already, and what it holds again later is no news while it is urgent. */
    if (fh_load_relaxed(&fh_limit.next_look_bytes) != SIZE_MAX && urgency != FH_URGENCY_NONE) return;
    fh_store_relaxed(&fh_limit.next_look_bytes, fh_max(limit / 2, held + limit / LOOK_SHARE));
    if (urgency != FH_URGENCY_NONE) fh_limit_want();
}

void fh_limit_note_growth(void)
{
    size_t held = fh_limit_held();
    check_soft(held);
    if (FH_LIKELY(held < fh_max(fh_load_relaxed(&fh_limit.next_look_bytes), FIRST_LOOK))) return;
    fh_store_relaxed(&fh_limit.next_look_bytes, SIZE_MAX); /* the look says when next */
    ask_for_look();
}

size_t fh_limit_room(void)
{
    size_t held = fh_limit_held(), soft = fh_load_relaxed(&fh_options.soft_limit), room = SIZE_MAX;
    if (soft) {
        size_t at = fh_max(soft, fh_load_relaxed(&fh_limit.next_soft_bytes));
        room = at > held ? at - held : 0;
    }
    if (group_half()) {
        size_t at = fh_max(fh_load_relaxed(&fh_limit.next_look_bytes), FIRST_LOOK);
        room = fh_load_relaxed(&fh_limit.look) || at <= held ? 0 : fh_min(room, at - held - 1);
    }
    return room;
}

void fh_limit_note_relief(void)
{
    size_t held = fh_limit_held(), soft = fh_load_relaxed(&fh_options.soft_limit);
    fh_store_relaxed(&fh_limit.next_soft_bytes, held + soft / SOFT_SHARE);
    note_shrink(held);
    size_t half = group_half();
    if (!half) return;
    fh_store_relaxed(&fh_limit.looked_bytes, held);
    fh_store_relaxed(&fh_limit.next_look_bytes, fh_max(half, held + 2 * half / LOOK_SHARE));
}

/* Calls that other threads had under way were counted before, and are not to be had any more; and nobody will end the
 * look that one of them had begun. */
void fh_limit_after_fork(void)
{
    const struct fh_wholesale *ledger = &fh_wholesale;
    size_t own = ledger->pagemap_bytes + ledger->state_bytes + ledger->table_bytes + ledger->stranded_bytes;
    fh_limit.held_bytes = ledger->obtained_bytes - ledger->returned_bytes - own;
    if (fh_limit.group_bytes != SIZE_MAX) fh_limit.next_look_bytes = 0;
}
