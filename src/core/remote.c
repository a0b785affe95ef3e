/*
 * remote.c - frees of other threads' small blocks: batches out, inboxes in.
 *
 * Layer: core. Blocks for one owner are collected, and handed over with one compare-and-set for the whole batch; the
 * owner takes everything with one exchange when it next needs memory. Pushing onto a list that is only ever taken
 * whole has no ABA problem.
 */
#include "atomics.h"
#include "core.h"
#include "guard.h"
#include "pagemap.h"
#include "state.h"

static void push_to_inbox(struct fh_state *owner, void *head, void *tail, size_t count, size_t bytes)
{
    fh_fetch_add_relaxed(&fh_transit_objects, count);
    fh_fetch_add_relaxed(&fh_transit_bytes, bytes);
    void *old = fh_load_relaxed(&owner->inbox);
    do fh_guard_link(tail, old);
    while (!fh_cas_acq_rel(&owner->inbox, &old, head));
    /* Nobody would look into the inbox of an abandoned state until it is adopted. The fence pairs with the one in
     * fh_state_abandon: either we see that it is abandoned, or it sees what we have pushed. */
    fh_fence_seq_cst();
    if (fh_load_relaxed(&owner->status) == FH_STATE_ABANDONED) fh_state_settle(owner);
}

FH_NOINLINE static void flush_slot(struct fh_state *state, struct fh_outgoing *slot)
{
    if (slot->count == 0) return;
    uint32_t count = slot->count, bytes = slot->bytes;
    void *head = slot->head, *tail = slot->tail;
    slot->count = slot->bytes = 0;
    slot->head = slot->tail = NULL; /* `last` goes on: the next batch will be linked to this one */
    fh_count_sub(&state->published.outgoing_objects, count);
    fh_count_sub(&state->published.outgoing_bytes, bytes);
    push_to_inbox(fh_state_by_id(slot->owner), head, tail, count, bytes);
}

/* Whether there are torn states that can't be repaired now. */
static bool is_torn(void)
{
    /* A torn state is repaired by looking for marked blocks: none may be marked anew before that. If it can't be done
     * now, the block is lost rather than listed twice. */
    return FH_UNLIKELY(fh_load_relaxed(&fh_fork_torn_states)) && !fh_fork_settle();
}

FH_INLINE void send(struct fh_state *state, void *pointer, uint32_t entry)
{
    uint32_t owner = fh_entry_owner(entry), class_bytes = entry & FH_ENTRY_SIZE_MASK;
    struct fh_outgoing *slot = &state->outgoing[owner % FH_OUTGOING_SLOTS];
    if (slot->owner != owner) {
        flush_slot(state, slot);
        slot->owner = owner;
    }
    fh_guard_link(pointer, slot->head);
    void **last = &slot->last[slot->next_last++ % FH_OUTGOING_AHEAD];
    if (FH_LIKELY(class_bytes >= FH_AHEAD_LEAST)) fh_ahead_write(pointer, *last);
    *last = pointer;
    if (!slot->head) slot->tail = pointer;
    slot->head = pointer;
    slot->count++;
    slot->bytes += class_bytes;
    fh_count_add(&state->published.outgoing_objects, 1);
    fh_count_add(&state->published.outgoing_bytes, class_bytes);
    if (slot->count >= FH_OUTGOING_MOST || slot->bytes >= FH_OUTGOING_MOST_BYTES) flush_slot(state, slot);
}

void fh_remote_send(struct fh_state *state, void *pointer, uint32_t entry) { send(state, pointer, entry); }

/*
 * A thread that runs out of a class again and again while it frees blocks of that class for others keeps those, as far
 * as its cache has room: they need not go home, and it need not ask for new ones. One that only frees, or has freed
 * just a few, keeps none: neighbours of what it would get again are other threads' blocks, in the same cache line.
 */
FH_INLINE bool keep(struct fh_state *state, void *pointer, uint32_t class_bytes)
{
    uint8_t *lacks = &state->lacks[class_bytes / FH_ALIGNMENT];
    struct fh_cache_bin *bin = fh_cache_bin_of(&state->cache, class_bytes);
    if (*lacks < FH_LACKS_ENOUGH) return false;
    if (FH_UNLIKELY(bin->room <= 0)) {
        *lacks = 0;
        return false;
    }
    fh_cache_put(bin, pointer);
    return true;
}

void fh_remote_free(struct fh_state *state, void *pointer, uint32_t entry)
{
    if (FH_UNLIKELY(is_torn())) return;
    if (state) {
        if (!keep(state, pointer, entry & FH_ENTRY_SIZE_MASK)) send(state, pointer, entry);
        return;
    }
    fh_guard_link(pointer, NULL);
    push_to_inbox(fh_state_by_id(fh_entry_owner(entry)), pointer, pointer, 1, entry & FH_ENTRY_SIZE_MASK);
}

void fh_remote_free_plainly(struct fh_state *state, void *pointer, uint32_t entry)
{
    uint32_t class_bytes = entry & FH_ENTRY_SIZE_MASK, magic = fh_cache_bin_of(&state->cache, class_bytes)->magic;
    if (FH_UNLIKELY(!fh_is_block_start(pointer, magic) || fh_guard_is_marked(pointer))) fh_misuse(pointer, entry);
    if (FH_UNLIKELY(is_torn())) return;
    if (!keep(state, pointer, class_bytes)) send(state, pointer, entry);
}

void fh_remote_flush(struct fh_state *state)
{
    for (int i = 0; i < FH_OUTGOING_SLOTS; i++) flush_slot(state, &state->outgoing[i]);
}
