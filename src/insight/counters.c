/*
 * counters.c - the values of config/counters.def, and with them the additive account: where every byte that the kernel
 * gave is now.
 *
 * Layer: insight. Adds up the counters that the layers below keep; invariant A1 is that the items are what was obtained
 * less what was returned, and fh_check compares them with a walk.
 */
#include "counters.h"

#include "atomics.h"
#include "core.h"
#include "large.h"
#include "os.h"
#include "pagemap.h"
#include "samples.h"
#include "state.h"
#include "wholesale.h"

static void add_heap(struct fh_counters *account, struct fh_heap *heap, struct fh_counters_of_heap *own)
{
    bool locked = fh_lock_acquire(&heap->lock); /* not to be had: frozen by a fork, so nothing moves either */
    if (heap->segments) account->heaps++;
    size_t segments = 0, top = 0, untouched = 0;
    for (struct fh_segment *segment = heap->segments; segment; segment = segment->next) segments++;
    if (heap->top) {
        top = fh_chunk_size(fh_chunk_read(heap->top));
        char *end = (char *)heap->top + top;
        if (heap->backed < end) untouched = fh_min((size_t)(end - heap->backed), top);
    }
    size_t slab_chunks = fh_load_relaxed(&heap->slab_chunks), blocks = heap->used_chunks - slab_chunks;
    size_t slab_bytes = fh_load_relaxed(&heap->slab_bytes); /* these two change without the lock */
    account->metadata_bytes += segments * (FH_SEGMENT_HEAD_BYTES + FH_SEGMENT_TAIL_BYTES);
    account->metadata_bytes += blocks * FH_CHUNK_TAG_BYTES;
    account->live_bytes += heap->used_bytes - slab_bytes - blocks * FH_CHUNK_TAG_BYTES;
    account->live_blocks += blocks;
    size_t withheld = fh_load_relaxed(&heap->withheld_bytes); /* a block to look at, and nobody's (heap_trim.c) */
    if (withheld) {
        account->live_blocks--;
        account->live_bytes -= withheld - FH_CHUNK_TAG_BYTES;
        account->cached_bytes += withheld - FH_CHUNK_TAG_BYTES;
    }
    account->rounding_bytes += slab_bytes; /* less what the slabs say of themselves, below */
    size_t purged = heap->purged_bytes;
    account->free_bytes += heap->free_bytes - purged + top - untouched;
    account->untouched_bytes += untouched + purged;
    account->purged_bytes += purged;
    account->given_back_bytes += heap->given_back_bytes;
    account->taken_again_bytes += heap->taken_again_bytes;
    if (own)
        *own = (struct fh_counters_of_heap){.total_bytes = heap->total_bytes,
                                            .used_bytes = heap->used_bytes,
                                            .free_bytes = heap->free_bytes,
                                            .purged_bytes = purged,
                                            .top_bytes = top,
                                            .untouched_bytes = untouched,
                                            .slab_bytes = slab_bytes};
    if (locked) fh_lock_release(&heap->lock);
    size_t handed_over = fh_load_relaxed(&heap->handed_over_bytes);
    account->live_bytes -= handed_over;
    account->cached_bytes += handed_over;
    account->handed_over_bytes += handed_over;
}

/* What an owner's slabs of one class hold; `own` may be NULL. */
static void add_class(struct fh_counters *account, struct fh_state *state, size_t size,
                      struct fh_counters_of_class *own, size_t *heads, size_t *capacity)
{
    const struct fh_slab_class *class = fh_slab_class_of(&state->slabs, size);
    size_t carved = fh_load_relaxed(&class->carved), listed = fh_load_relaxed(&class->listed);
    size_t fits = fh_load_relaxed(&class->capacity), slabs = fh_load_relaxed(&class->slabs);
    size_t cached = fh_load_relaxed(&state->published.cached[size / FH_ALIGNMENT]);
    *heads += slabs * FH_SLAB_HEAD_BYTES;
    *capacity += fits * size;
    account->free_bytes += (listed + (fits - carved)) * size;
    account->cached_bytes += cached * size;
    account->live_bytes += (carved - listed - cached) * size;
    account->live_blocks += carved - listed - cached;
    if (!own) return;
    own->slabs += slabs;
    own->capacity += fits;
    own->carved += carved;
    own->listed += listed;
    own->cached += cached;
    own->live += carved - listed - cached;
}

static void add_state(struct fh_counters *account, struct fh_state *state, struct fh_counters_of_class *classes)
{
    uint32_t status = fh_load_acquire(&state->status);
    if (status == FH_STATE_UNUSED) return; /* being made by another thread, or never used */
    account->states++;
    if (status == FH_STATE_RUNNING) account->threads++;
    size_t heads = 0, capacity = 0;
    FH_EACH_CLASS(size)
        add_class(account, state, size, classes ? &classes[size / FH_ALIGNMENT] : NULL, &heads, &capacity);
    size_t slab_bytes = fh_load_relaxed(&state->slabs.counts.slab_bytes);
    account->metadata_bytes += heads;
    account->rounding_bytes += slab_bytes - heads - capacity; /* gaps within slabs */
    account->rounding_bytes -=
        slab_bytes - fh_load_relaxed(&state->slabs.counts.mapped_bytes); /* add_heap put it there */

    const struct fh_state_published *published = &state->published;
    size_t medium = fh_load_relaxed(&published->medium_bytes), blocks = fh_load_relaxed(&published->medium_blocks);
    size_t away = fh_load_relaxed(&published->outgoing_bytes) + medium;
    account->medium_cached_bytes += medium;
    account->cached_bytes += away;
    account->live_bytes -= away;
    account->live_blocks -= blocks + fh_load_relaxed(&published->outgoing_objects);
}

static void add_large(struct fh_counters *account)
{
    const struct fh_large_counts *counts = &fh_large_counts;
    account->large_blocks = fh_load_relaxed(&counts->blocks);
    account->large_bytes = fh_load_relaxed(&counts->mapping_bytes) - fh_load_relaxed(&counts->head_bytes);
    account->live_blocks += account->large_blocks;
    account->live_bytes += account->large_bytes;
    account->metadata_bytes += fh_load_relaxed(&counts->head_bytes);
    account->warm_bytes = fh_load_relaxed(&counts->warm_bytes);
    account->free_bytes += account->warm_bytes;
}

/* In the child of a fork that happened while other threads ran, the ledger was copied in the middle of their work. It
 * is brought in line with what this process has, once; from then on it has to add up again. */
static void rebase_ledger(const struct fh_counters *account)
{
    size_t held = account->live_bytes + account->rounding_bytes + account->cached_bytes + account->free_bytes +
                  account->untouched_bytes + account->metadata_bytes;
    fh_store_relaxed(&fh_wholesale.obtained_bytes, account->returned_bytes + held);
    fh_store_relaxed(&fh_fork_has_torn, FH_FORK_TORN_AND_REBASED);
}

static void add_ledger(struct fh_counters *account)
{
    size_t tables, tables_resident, pagemap = fh_load_relaxed(&fh_wholesale.pagemap_bytes);
    size_t pagemap_resident = fh_min(fh_pagemap_resident_bytes(), pagemap);
    fh_samples_measure(&tables, &tables_resident);
    account->pagemap_bytes = pagemap;
    account->table_bytes = tables;
    account->stranded_bytes = fh_load_relaxed(&fh_wholesale.stranded_bytes);
    account->mappings = fh_load_relaxed(&fh_wholesale.mappings);
    account->obtain_calls = fh_load_relaxed(&fh_wholesale.obtain_calls);
    account->return_calls = fh_load_relaxed(&fh_wholesale.return_calls);
    account->metadata_bytes += pagemap_resident + fh_load_relaxed(&fh_wholesale.state_bytes) + tables_resident;
    account->untouched_bytes += tables - tables_resident + pagemap - pagemap_resident + account->stranded_bytes;
    account->returned_bytes = fh_load_relaxed(&fh_wholesale.returned_bytes);
    if (fh_load_relaxed(&fh_fork_has_torn) == FH_FORK_TORN) rebase_ledger(account);
    account->obtained_bytes = fh_load_relaxed(&fh_wholesale.obtained_bytes);
}

static void read_all(struct fh_counters *account, struct fh_counters_detailed *detailed)
{
    fh_core_settle();
    for (uint32_t i = 0; i < fh_heaps_count(); i++)
        add_heap(account, fh_heaps_get(i), detailed && i < FH_HEAPS_COUNTED ? &detailed->heaps[i] : NULL);
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        if (state) add_state(account, state, detailed ? detailed->classes : NULL);
    }
    add_large(account);
    account->transit_bytes = fh_load_relaxed(&fh_transit_bytes);
    account->cached_bytes += account->transit_bytes;
    account->live_bytes -= account->transit_bytes;
    account->live_blocks -= fh_load_relaxed(&fh_transit_objects);
    add_ledger(account);
}

void fh_counters_read(struct fh_counters *counters)
{
    *counters = (struct fh_counters){0};
    read_all(counters, NULL);
}

void fh_counters_read_detailed(struct fh_counters_detailed *detailed)
{
    *detailed = (struct fh_counters_detailed){.heap_count = (uint32_t)fh_min(fh_heaps_count(), FH_HEAPS_COUNTED)};
    read_all(&detailed->process, detailed);
    detailed->process.resident_bytes = fh_os_resident_bytes();
}
