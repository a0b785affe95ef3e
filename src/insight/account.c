/*
 * account.c - the additive account: where every byte that the kernel gave is now.
 *
 * Layer: insight. Adds up the counters that the layers below keep; invariant A1 is that the items are what was obtained
 * less what was returned, and fh_check compares them with a walk.
 */
#include "freehold.h"

#include "atomics.h"
#include "core.h"
#include "format.h"
#include "insight.h"
#include "large.h"
#include "os.h"
#include "pagemap.h"
#include "samples.h"
#include "state.h"
#include "wholesale.h"

static void add_heap(struct fh_account *account, struct fh_heap *heap)
{
    bool locked = fh_lock_acquire(&heap->lock); /* not to be had: frozen by a fork, so nothing moves either */
    if (heap->segments) account->heaps++;
    size_t segments = 0, top = 0, untouched = 0;
    for (struct fh_segment *segment = heap->segments; segment; segment = segment->next) segments++;
    if (heap->top) {
        top = fh_chunk_size(fh_chunk_read(heap->top));
        char *end = (char *)heap->top + top;
        if (heap->fresh < end) untouched = fh_min((size_t)(end - heap->fresh), top);
    }
    size_t slab_chunks = fh_load_relaxed(&heap->slab_chunks), blocks = heap->used_chunks - slab_chunks;
    size_t slab_bytes = fh_load_relaxed(&heap->slab_bytes); /* these two change without the lock */
    account->metadata_bytes += segments * (FH_SEGMENT_HEAD_BYTES + FH_SEGMENT_TAIL_BYTES);
    account->metadata_bytes += blocks * FH_CHUNK_TAG_BYTES;
    account->live_bytes += heap->used_bytes - slab_bytes - blocks * FH_CHUNK_TAG_BYTES;
    account->live_blocks += blocks;
    account->rounding_bytes += slab_bytes; /* less what the slabs say of themselves, below */
    size_t purged = heap->purged_bytes;
    account->free_bytes += heap->free_bytes - purged + top - untouched;
    account->untouched_bytes += untouched + purged;
    if (locked) fh_lock_release(&heap->lock);
    size_t handed_over = fh_load_relaxed(&heap->handed_over_bytes);
    account->live_bytes -= handed_over;
    account->cached_bytes += handed_over;
}

static void add_state(struct fh_account *account, struct fh_state *state)
{
    uint32_t status = fh_load_acquire(&state->status);
    if (status == FH_STATE_UNUSED) return; /* being made by another thread, or never used */
    if (status == FH_STATE_RUNNING) account->threads++;
    size_t heads = 0, capacity = 0;
    for (size_t size = FH_ALIGNMENT; size <= FH_SMALL_MOST; size += FH_ALIGNMENT) {
        const struct fh_slab_class *class = fh_slab_class_of(&state->slabs, size);
        size_t carved = fh_load_relaxed(&class->carved), listed = fh_load_relaxed(&class->listed);
        size_t fits = fh_load_relaxed(&class->capacity);
        size_t cached = fh_load_relaxed(&state->published.cached[size / FH_ALIGNMENT]);
        heads += fh_load_relaxed(&class->slabs) * FH_SLAB_HEAD_BYTES;
        capacity += fits * size;
        account->free_bytes += (listed + (fits - carved)) * size;
        account->cached_bytes += cached * size;
        account->live_bytes += (carved - listed - cached) * size;
        account->live_blocks += carved - listed - cached;
    }
    size_t slab_bytes = fh_load_relaxed(&state->slabs.counts.slab_bytes);
    account->metadata_bytes += heads;
    account->rounding_bytes += slab_bytes - heads - capacity; /* gaps within slabs */
    account->rounding_bytes -=
        slab_bytes - fh_load_relaxed(&state->slabs.counts.mapped_bytes); /* add_heap put it there */

    const struct fh_state_published *published = &state->published;
    size_t away = fh_load_relaxed(&published->outgoing_bytes) + fh_load_relaxed(&published->medium_bytes);
    size_t blocks = fh_load_relaxed(&published->outgoing_objects) + fh_load_relaxed(&published->medium_blocks);
    for (size_t size = FH_SMALL_MOST + FH_ALIGNMENT; size <= FH_CACHED_MOST; size += FH_ALIGNMENT) {
        size_t cached = fh_load_relaxed(&published->cached[size / FH_ALIGNMENT]);
        away += cached * fh_class_usable(size);
        blocks += cached;
    }
    account->cached_bytes += away;
    account->live_bytes -= away;
    account->live_blocks -= blocks;
}

static void add_large(struct fh_account *account)
{
    const struct fh_large_counts *counts = &fh_large_counts;
    account->large_blocks = fh_load_relaxed(&counts->blocks);
    account->large_bytes = fh_load_relaxed(&counts->mapping_bytes) - fh_load_relaxed(&counts->head_bytes);
    account->live_blocks += account->large_blocks;
    account->live_bytes += account->large_bytes;
    account->metadata_bytes += fh_load_relaxed(&counts->head_bytes);
    account->free_bytes += fh_load_relaxed(&counts->warm_bytes);
}

/* In the child of a fork that happened while other threads ran, the ledger was copied in the middle of their work. It
 * is brought in line with what this process has, once; from then on it has to add up again. */
static void rebase_ledger(const struct fh_account *account)
{
    size_t held = account->live_bytes + account->rounding_bytes + account->cached_bytes + account->free_bytes +
                  account->untouched_bytes + account->metadata_bytes;
    fh_store_relaxed(&fh_wholesale.obtained_bytes, account->returned_bytes + held);
    fh_store_relaxed(&fh_fork_has_torn, FH_FORK_TORN_AND_REBASED);
}

FH_EXPORT void fh_account_read(struct fh_account *account)
{
    *account = (struct fh_account){0};
    fh_core_settle();
    for (uint32_t i = 0; i < fh_heaps_count(); i++) add_heap(account, fh_heaps_get(i));
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        if (state) add_state(account, state);
    }
    add_large(account);
    size_t transit = fh_load_relaxed(&fh_transit_bytes);
    account->cached_bytes += transit;
    account->live_bytes -= transit;
    account->live_blocks -= fh_load_relaxed(&fh_transit_objects);
    size_t pagemap = fh_load_relaxed(&fh_wholesale.pagemap_bytes);
    size_t pagemap_resident = fh_min(fh_pagemap_resident_bytes(), pagemap);
    account->metadata_bytes += pagemap_resident + fh_load_relaxed(&fh_wholesale.state_bytes);
    size_t tables, tables_resident;
    fh_samples_measure(&tables, &tables_resident);
    account->metadata_bytes += tables_resident;
    account->untouched_bytes += tables - tables_resident;
    account->untouched_bytes += pagemap - pagemap_resident + fh_load_relaxed(&fh_wholesale.stranded_bytes);
    account->returned_bytes = fh_load_relaxed(&fh_wholesale.returned_bytes);
    if (fh_load_relaxed(&fh_fork_has_torn) == FH_FORK_TORN) rebase_ledger(account);
    account->obtained_bytes = fh_load_relaxed(&fh_wholesale.obtained_bytes);
}

static void add_line(struct fh_text *text, const char *label, size_t bytes, const char *remark)
{
    enum { LABEL_WIDTH = 20, NUMBER_WIDTH = 18 };
    size_t start = text->length;
    fh_text_add(text, "  ");
    fh_text_add(text, label);
    while (text->length - start < LABEL_WIDTH) fh_text_add(text, " ");
    fh_text_add_grouped(text, bytes, NUMBER_WIDTH);
    if (*remark) fh_text_add(text, "  ");
    fh_text_add(text, remark);
    fh_text_end_line(text);
}

static void print_account(int fd, void (*write)(int fd, const char *text, size_t length))
{
    struct fh_account account;
    char buffer[2048], name[16];
    struct fh_text text;
    fh_account_read(&account);
    fh_os_process_name(name);
    fh_text_init(&text, buffer, sizeof buffer);
    fh_text_add(&text, "freehold: account of pid ");
    fh_text_add_decimal(&text, (uint64_t)fh_os_pid());
    fh_text_add(&text, " (");
    fh_text_add(&text, name);
    fh_text_add(&text, "), in bytes");
    fh_text_end_line(&text);
    add_line(&text, "live", account.live_bytes, "held by the program");
    add_line(&text, "rounding", account.rounding_bytes, "gaps that no block can use");
    add_line(&text, "cached", account.cached_bytes, "freed, kept by threads");
    add_line(&text, "free", account.free_bytes, "freed, held for the next request");
    add_line(&text, "untouched", account.untouched_bytes, "address space, no memory");
    add_line(&text, "metadata", account.metadata_bytes, "tags, slab heads, page map");
    add_line(&text, "= from the kernel", account.obtained_bytes - account.returned_bytes, "obtained less returned");
    add_line(&text, "obtained", account.obtained_bytes, "since the start");
    add_line(&text, "returned", account.returned_bytes, "since the start");
    add_line(&text, "resident", fh_os_resident_bytes(), "the whole process, from the kernel");
    add_line(&text, "blocks", account.live_blocks, "live, of any size");
    add_line(&text, "heaps", account.heaps, "");
    add_line(&text, "threads", account.threads, "");
    write(fd, buffer, text.length);
}

FH_EXPORT void fh_account_print(int fd) { print_account(fd, fh_os_write); }

void fh_account_report(int kept_stderr) { print_account(kept_stderr, fh_os_complain_on_kept); }
