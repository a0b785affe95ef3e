/*
 * heap_purge.c - giving back the pages of free chunks that live blocks stand between.
 *
 * Layer: heap. Everything here runs with the heap's lock held. A process that goes idle calls nothing, so this is done
 * at the free that leaves most of the heap free, and at those that follow. From then on the heap is *returning*: a
 * sweep over the bins, from large chunks to small, some of it at each free, begins whenever a part of the heap has
 * become free; a chunk with as much to give as a huge page goes at once. Purged pages that are allocated again are
 * regretted (gate.h): that ends it.
 *
 * A call to the kernel for a few pages costs more than these cost to get. Where frees go through memory in order, what
 * they leave behind stays as it is, and small holes go too; frees in no order come back to every hole, which grows, and
 * early calls were in vain. The price of a small hole, in frees, tells the two apart: one that grew after it was given
 * back makes the next dearer, one that nothing was given back of yet makes it cheaper.
 *
 * Of a purged chunk the pages that went are remembered (struct fh_span), through splitting and coalescing, so that none
 * goes twice and the account knows them as untouched; in its bin it stands behind those that have pages to give.
 */
#include "atomics.h"
#include "heap.h"
#include "limit.h"
#include "options.h"
#include "os.h"

enum {
    WORTH_IT = 1 << 20,      /* free bytes below which nothing is done */
    AT_ONCE = 2 << 20,       /* a chunk with so much to give back does not wait for a sweep */
    USED_SHARE = 16,         /* a sweep begins when so large a part of what is in use has become free since the last, */
    SWEEP_MOST = 4 << 20,    /* but so much at most, */
    SWEEP_LEAST = 512 << 10, /* and so much at least: what an idle heap may keep */
    STEP_BYTES = 2 << 20,    /* what a step gives back at most; a free takes two: its own chunk, and of a sweep */
    STEP_CHUNKS = 64,        /* chunks that give in one step, at most */
    SMALL_HOLE = 64 << 10,   /* what gives less has its price, */
    FREE_CREDIT = 8,         /* for which each free earns so much; it is */
    PRICE_LEAST = 16,        /* so much at least, */
    PRICE_MOST = 64,         /* and at most, */
    PRICE_MOST_SHARED = 512, /* or this where a call interrupts other processors, */
    DEARER = 8,              /* and one part in so many more, */
    CHEAPER = 16,            /* or less, each time */
    CREDIT_MOST = 64 << 10,
    EPOCH_BYTES = 2 << 20,   /* after so many bytes threads give up what they keep once more */
    REGRET_STEP = 256 << 10, /* bytes taken again that end it: less may be chance */
    REFUSED_MS = 10 * 1000   /* for so long the kernel is not asked again (mlockall, seccomp) */
};

uint32_t fh_heap_threads;

static bool discard(uintptr_t from, uintptr_t to)
{
    if (from >= to) return true;
    fh_heap_note_work(0, to - from);
    return fh_os_discard((void *)from, to - from);
}

static void note_purged(struct fh_heap *heap, size_t bytes)
{
    fh_count_add(&heap->purged_bytes, bytes);
    fh_count_add(&heap->given_back_bytes, bytes);
    heap->since_epoch += bytes;
    if (heap->since_epoch < EPOCH_BYTES) return;
    heap->since_epoch = 0;
    fh_count_add(&heap->return_epoch, 1);
}

static void stop_returning(struct fh_heap *heap)
{
    heap->returning = false;
    heap->return_at_bytes = WORTH_IT;
    heap->sweep_bin = 0;
}

void fh_heap_write_span(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span span)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content);
    fh_bins_remove(&heap->bins, chunk, size);
    fh_chunk_write_span(chunk, span);
    fh_chunk_write(chunk, size, (unsigned)(content & FH_CHUNK_FLAGS) | FH_CHUNK_PURGED);
    fh_bins_insert(&heap->bins, chunk, size);
}

size_t fh_heap_purge_chunk(struct fh_heap *heap, struct fh_chunk *chunk, size_t most_bytes)
{
    uint64_t content = fh_chunk_read(chunk);
    size_t size = fh_chunk_size(content);
    struct fh_span inner = fh_chunk_inner_pages(chunk, size), span = fh_chunk_span(chunk, content);
    size_t inner_bytes = fh_span_bytes(inner), purged = fh_span_bytes(span);
    if (inner_bytes <= purged) return 0;
    if (!purged) span.from = span.to = inner.from;
    fh_heap_end_huge(heap);
    /* Outwards from what is purged already: downwards first, then upwards. */
    size_t below = fh_min(span.from - inner.from, most_bytes), above = fh_min(inner.to - span.to, most_bytes - below);
    if (!discard(span.from - below, span.from) || !discard(span.to, span.to + above)) {
        fh_gate_close(&heap->gate, REFUSED_MS);
        stop_returning(heap);
        return 0;
    }
    fh_heap_write_span(heap, chunk, (struct fh_span){span.from - below, span.to + above});
    note_purged(heap, below + above);
    return below + above;
}

void fh_heap_note_regret(struct fh_heap *heap, size_t bytes)
{
    heap->regretted_bytes += bytes;
    fh_count_add(&heap->taken_again_bytes, bytes);
    if (heap->regretted_bytes < REGRET_STEP) return;
    fh_gate_regret(&heap->gate, heap->regretted_bytes);
    heap->regretted_bytes = 0;
    stop_returning(heap);
}

void fh_heap_take_span(struct fh_heap *heap, const struct fh_chunk *chunk, uint64_t content)
{
    struct fh_span span = fh_chunk_span(chunk, content);
    size_t others = heap->span_bytes;
    fh_count_sub(&heap->purged_bytes, fh_span_bytes(span));
    heap->span_bytes += fh_span_bytes(span);
    /* Of two neighbours the larger: what is forgotten will be purged once more at worst. */
    if (!others || fh_span_bytes(span) > fh_span_bytes(heap->span)) heap->span = span;
}

unsigned fh_heap_inherit_span(struct fh_heap *heap, struct fh_chunk *chunk, size_t size)
{
    struct fh_span inner = fh_chunk_inner_pages(chunk, size);
    struct fh_span span = {fh_max(heap->span.from, inner.from), fh_min(heap->span.to, inner.to)};
    if (!fh_span_bytes(span)) return 0;
    fh_chunk_write_span(chunk, span);
    fh_count_add(&heap->purged_bytes, fh_span_bytes(span));
    heap->span_bytes -= fh_span_bytes(span);
    return FH_CHUNK_PURGED;
}

void fh_heap_end_span(struct fh_heap *heap, enum fh_span_end end)
{
    struct fh_span span = heap->span, *in_top = &heap->top_span;
    size_t bytes = heap->span_bytes;
    heap->span = (struct fh_span){0, 0};
    heap->span_bytes = 0;
    if (end == FH_SPAN_ALLOCATED) fh_heap_note_regret(heap, bytes);
    if (end != FH_SPAN_IN_TOP) return;
    *in_top =
        heap->top_span_bytes ? (struct fh_span){fh_min(span.from, in_top->from), fh_max(span.to, in_top->to)} : span;
    heap->top_span_bytes += bytes;
}

void fh_heap_cut_top_span(struct fh_heap *heap, uintptr_t from, uintptr_t to)
{
    struct fh_span span = heap->top_span, left = {fh_max(span.from, from), fh_min(span.to, to)};
    size_t bytes = heap->top_span_bytes;
    if (fh_span_bytes(left) == fh_span_bytes(span)) return;
    heap->top_span = left;
    heap->top_span_bytes = bytes / 4096 * (fh_span_bytes(left) / 4096) / (fh_span_bytes(span) / 4096) * 4096;
    if (from > span.from) fh_heap_note_regret(heap, bytes - heap->top_span_bytes);
}

/* Giving back costs by the call more than by the page, and a sweep costs by the chunk: so not for every free. */
static size_t batch_of(const struct fh_heap *heap)
{
    size_t batch = fh_min(heap->used_bytes / USED_SHARE, SWEEP_MOST);
    return fh_max(batch, SWEEP_LEAST);
}

void fh_heap_note_free(struct fh_heap *heap, struct fh_chunk *chunk, size_t size, size_t freed)
{
    heap->hole_credit = fh_min(heap->hole_credit + FREE_CREDIT, CREDIT_MOST);
    /* What was left at the last sweep may have been allocated since. */
    heap->return_at_bytes = fh_min(heap->return_at_bytes, heap->free_bytes - heap->purged_bytes + batch_of(heap));
    if (size < AT_ONCE) return;
    if (fh_chunk_dirty_bytes(chunk) >= AT_ONCE)
        fh_heap_purge_chunk(heap, chunk, fh_align_up(fh_max(STEP_BYTES, freed), fh_max(fh_os_page_size(), 4096)));
}

static uint32_t price_of(const struct fh_heap *heap) { return fh_max(heap->hole_price, PRICE_LEAST); }

/* Takes the price of a small hole, and makes the next one's. */
static void pay(struct fh_heap *heap, const struct fh_chunk *chunk)
{
    uint32_t price = price_of(heap);
    uint32_t most = fh_load_relaxed(&fh_heap_threads) ? PRICE_MOST_SHARED : PRICE_MOST;
    bool again = fh_chunk_read(chunk) & FH_CHUNK_PURGED;
    heap->hole_credit -= price;
    heap->hole_price = again ? fh_min(price + price / DEARER, most) : price - price / CHEAPER;
}

/* The first chunk of a bin with so many bytes to give. */
static struct fh_chunk *first_to_give(const struct fh_heap *heap, unsigned bin, size_t least)
{
    struct fh_chunk *chunk = heap->bins.heads[bin];
    for (int looked = 0; chunk && looked < STEP_CHUNKS; looked++, chunk = fh_bins_next(chunk)) {
        size_t dirty = fh_chunk_dirty_bytes(chunk);
        if (dirty >= least) return chunk;
        /* Those with nothing come last; but what is smaller than two pages need not have a whole one in it. */
        if (!dirty && fh_chunk_read(chunk) & FH_CHUNK_PURGED) break;
    }
    return NULL;
}

/* Some chunks with pages to give, from the largest on. */
static void sweep(struct fh_heap *heap)
{
    size_t most = STEP_BYTES;
    for (int chunks = 0; heap->sweep_bin && chunks < STEP_CHUNKS && most;) {
        unsigned bin = fh_bins_next_below(&heap->bins, heap->sweep_bin);
        size_t least = heap->hole_credit >= price_of(heap) ? 1 : SMALL_HOLE;
        if (bin < fh_bins_index(least)) bin = 0;
        struct fh_chunk *chunk = bin ? first_to_give(heap, bin, least) : NULL;
        if (!chunk) {
            heap->sweep_bin = bin;
            continue;
        }
        if (fh_chunk_dirty_bytes(chunk) < SMALL_HOLE) pay(heap, chunk);
        heap->sweep_bin = bin + 1;
        most -= fh_heap_purge_chunk(heap, chunk, most); /* which then stands behind the others, or ends the sweep */
        fh_heap_note_work(1, 0);
        chunks++;
    }
}

void fh_heap_look_around(struct fh_heap *heap)
{
    /* Near a limit less of what is free may stay. */
    size_t dirty = heap->free_bytes - heap->purged_bytes, used = heap->used_bytes >> 2 * fh_limit_urgency();
    if (heap->sweep_bin) {
        sweep(heap);
        if (!heap->sweep_bin && heap->returning) /* what is left is between blocks on their pages */
            heap->return_at_bytes = heap->free_bytes - heap->purged_bytes + batch_of(heap);
        return;
    }
    if (!heap->returning && dirty < fh_max(WORTH_IT, used)) { /* halfway to where the two meet */
        heap->return_at_bytes = fh_max(WORTH_IT, used > dirty ? dirty + (used - dirty) / 2 : 0);
        return;
    }
    if (!heap->segments || !fh_gate_is_open(&heap->gate)) return;
    heap->returning = true;
    heap->regretted_bytes = 0;
    heap->return_at_bytes = 0; /* at each free from now on */
    heap->sweep_bin = FH_BIN_COUNT;
    fh_count_add(&heap->return_epoch, 1);
}
