/*
 * heap_purge.c - giving back the pages of free chunks that live blocks stand between.
 *
 * Layer: heap. Everything here runs with the heap's lock held. A process that goes idle calls nothing, so this is done
 * at the free that leaves most of the heap free, and at those that follow. From then on the heap is *returning*: a
 * chunk with as much to give as a huge page gives it at once, and sweeps over the bins, from large chunks to small,
 * some of it at each free, begin whenever a part of the heap has become free. In a heap of huge pages a sweep looks for
 * whole ones, and only when there are none for what splits them. Purged pages that are allocated again are regretted
 * (gate.h): that ends it.
 *
 * A call to the kernel for a few pages costs more than these cost to get, most of all where it interrupts other
 * processors. Where frees go through memory in order, what they leave behind stays as it is, and small holes go too;
 * frees in no order come back to every hole, which grows, and early calls were in vain. The price of a small hole, in
 * frees, tells the two apart: one that grew after it was given back makes the next dearer, one that nothing was given
 * back of yet makes it cheaper.
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
    WORTH_IT = 1 << 20,       /* free bytes below which nothing is done */
    AT_ONCE = 2 << 20,        /* a chunk with so much to give back does not wait for a sweep */
    USED_SHARE = 16,          /* a sweep begins when so large a part of what is in use has become free since the last */
    SWEEP_LEAST = 512 << 10,  /* one, and so much at least: what an idle heap may keep */
    PAGES_SHARE = 2,          /* how large a part of what is free should be in whole pages */
    LOOK_SHARE = 16,          /* how much of what is missing must have become free before the next look, */
    LOOK_LEAST = 64 << 10,    /* and so much at least */
    STEP_BYTES = 2 << 20,     /* what a step gives back at most; a free takes two: its own chunk, and of a sweep */
    STEP_CHUNKS = 64,         /* chunks that give in one step, at most */
    SMALL_HOLE = 64 << 10,    /* what gives less has its price, */
    FREE_CREDIT = 8,          /* for which each free earns so much; it is */
    PRICE_LEAST = 16,         /* so much; but where a call interrupts other processors */
    PRICE_MOST_SHARED = 2048, /* it rises to so much, */
    DEARER = 8,               /* by one part in so many, */
    CHEAPER = 16,             /* and falls, each time */
    CREDIT_MOST = 64 << 10,
    EPOCH_BYTES = 2 << 20,    /* after so many bytes threads give up what they keep once more */
    REGRET_STEP = 256 << 10,  /* bytes taken again that end it: less may be chance */
    HUGE_CHEAPER = 32,        /* those of a huge page count for so much less: one fault brings all of them */
    REFUSED_MS = 10 * 1000    /* for so long the kernel is not asked again (mlockall, seccomp) */
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

/* Whole pages within free chunks that were not given back, at most. */
static size_t free_in_memory(const struct fh_heap *heap) { return heap->page_bytes - heap->purged_bytes; }

static void stop_returning(struct fh_heap *heap)
{
    heap->returning = heap->splits = false;
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

/* Gives back what `inner` has more than has gone already, but so many bytes at most. */
static size_t purge(struct fh_heap *heap, struct fh_chunk *chunk, struct fh_span inner, size_t most_bytes)
{
    struct fh_span span = fh_chunk_span(chunk, fh_chunk_read(chunk));
    if (!fh_span_bytes(span)) span.from = span.to = inner.from;
    inner = (struct fh_span){fh_min(inner.from, span.from), fh_max(inner.to, span.to)};
    if (fh_span_bytes(inner) == fh_span_bytes(span)) return 0;
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

size_t fh_heap_purge_chunk(struct fh_heap *heap, struct fh_chunk *chunk, size_t most_bytes)
{
    fh_heap_end_huge(heap);
    return purge(heap, chunk, fh_chunk_inner_pages(chunk, fh_chunk_size(fh_chunk_read(chunk))), most_bytes);
}

void fh_heap_note_regret(struct fh_heap *heap, size_t bytes, struct fh_span span)
{
    bool by_huge_pages = heap->huge_to && fh_span_bytes(fh_heap_huge_within(heap, span)) > 0;
    heap->regretted_bytes += by_huge_pages ? bytes / HUGE_CHEAPER : bytes;
    fh_count_add(&heap->taken_again_bytes, bytes);
    if (heap->regretted_bytes < REGRET_STEP) return;
    fh_gate_regret(&heap->gate, heap->regretted_bytes);
    heap->regretted_bytes = 0;
    stop_returning(heap);
    fh_heap_resume_huge(heap);
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

/* Where a block was cut off what had gone, the kernel brings back all of its huge page. */
static struct fh_span without_torn(const struct fh_heap *heap, struct fh_span span)
{
    struct fh_span whole = fh_heap_huge_within(heap, span);
    if (span.from > heap->span.from) span.from = fh_max(span.from, whole.from);
    if (span.to < heap->span.to) span.to = fh_min(span.to, whole.to);
    return span;
}

unsigned fh_heap_inherit_span(struct fh_heap *heap, struct fh_chunk *chunk, size_t size)
{
    struct fh_span inner = fh_chunk_inner_pages(chunk, size);
    struct fh_span span = {fh_max(heap->span.from, inner.from), fh_min(heap->span.to, inner.to)};
    if (heap->huge_to) span = without_torn(heap, span);
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
    if (end == FH_SPAN_ALLOCATED) fh_heap_note_regret(heap, bytes, span);
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
    if (from > span.from) fh_heap_note_regret(heap, bytes - heap->top_span_bytes, span);
}

/* Giving back costs by the call more than by the page, and a sweep costs by the chunk: so not for every free. */
static size_t batch_of(const struct fh_heap *heap)
{
    return fh_max(heap->used_bytes / USED_SHARE, SWEEP_LEAST);
}

/* What free memory is compared with; near a limit less of it may stay. */
static size_t used_to_compare(const struct fh_heap *heap)
{
    return fh_max(heap->used_bytes >> 2 * fh_limit_urgency(), WORTH_IT);
}

/*
 * With how many free pages the next sweep begins, and what it may split. The first one that splits huge pages waits
 * until as much is free in pages as is in use: frees that run through memory in order leave holes behind that grow to
 * whole ones.
 */
static size_t sweep_at(const struct fh_heap *heap)
{
    return heap->splits ? heap->left_bytes + batch_of(heap) : used_to_compare(heap);
}

/* Of whole huge pages, what a chunk has more than has gone already. */
static size_t whole_bytes(const struct fh_heap *heap, const struct fh_chunk *chunk)
{
    uint64_t content = fh_chunk_read(chunk);
    struct fh_span gone = fh_chunk_span(chunk, content);
    struct fh_span whole = fh_heap_huge_within(heap, fh_chunk_inner_pages(chunk, fh_chunk_size(content)));
    if (!fh_span_bytes(gone) || !fh_span_bytes(whole)) return fh_span_bytes(whole);
    return fh_max(whole.to, gone.to) - fh_min(whole.from, gone.from) - fh_span_bytes(gone);
}

/* These go by themselves, none is split, and when they are wanted again one fault brings back each. */
static size_t give_whole(struct fh_heap *heap, struct fh_chunk *chunk, size_t most_bytes)
{
    struct fh_span inner = fh_chunk_inner_pages(chunk, fh_chunk_size(fh_chunk_read(chunk)));
    return purge(heap, chunk, fh_heap_huge_within(heap, inner), most_bytes);
}

void fh_heap_earn(struct fh_heap *heap, uint32_t frees)
{
    heap->hole_credit = fh_min(heap->hole_credit + frees * FREE_CREDIT, CREDIT_MOST);
}

void fh_heap_note_free(struct fh_heap *heap, struct fh_chunk *chunk, size_t size, size_t freed)
{
    fh_heap_earn(heap, 1);
    if (size >= AT_ONCE && fh_chunk_dirty_bytes(chunk) >= AT_ONCE) {
        size_t most = fh_align_up(fh_max(STEP_BYTES, freed), STEP_BYTES);
        if (!heap->has_huge) fh_heap_purge_chunk(heap, chunk, most);
        else if (whole_bytes(heap, chunk)) give_whole(heap, chunk, most);
    }
    heap->left_bytes = fh_min(heap->left_bytes, free_in_memory(heap)); /* the rest has been allocated since */
    if (!heap->sweep_bin) heap->return_at_bytes = sweep_at(heap);
}

static uint32_t price_of(const struct fh_heap *heap) { return fh_max(heap->hole_price, PRICE_LEAST); }

/* Takes the price of a small hole, and makes the next one's. */
static void pay(struct fh_heap *heap, const struct fh_chunk *chunk)
{
    uint32_t price = price_of(heap);
    uint32_t most = fh_load_relaxed(&fh_heap_threads) ? PRICE_MOST_SHARED : PRICE_LEAST;
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
        if (dirty >= least && (!heap->sweep_huge || whole_bytes(heap, chunk))) return chunk;
        /* Those with nothing come last; but what is smaller than two pages need not have a whole one in it. */
        if (!dirty && fh_chunk_read(chunk) & FH_CHUNK_PURGED) break;
    }
    return NULL;
}

/* What a chunk has to give to be worth a call now; small holes are if they are paid for. */
static size_t least_to_give(const struct fh_heap *heap)
{
    if (heap->sweep_huge) return AT_ONCE;
    return heap->hole_credit >= price_of(heap) ? 1 : SMALL_HOLE;
}

/* Some chunks with pages to give, from the largest on. */
static void sweep(struct fh_heap *heap)
{
    size_t most = STEP_BYTES;
    for (int chunks = 0; heap->sweep_bin && chunks < STEP_CHUNKS && most;) {
        unsigned bin = fh_bins_next_below(&heap->bins, heap->sweep_bin);
        size_t least = least_to_give(heap);
        if (bin < fh_bins_index(least)) bin = 0;
        struct fh_chunk *chunk = bin ? first_to_give(heap, bin, least) : NULL;
        if (!chunk) {
            heap->sweep_bin = bin;
            continue;
        }
        if (fh_chunk_dirty_bytes(chunk) < SMALL_HOLE) pay(heap, chunk);
        heap->sweep_bin = bin + 1;
        most -= heap->sweep_huge ? give_whole(heap, chunk, most) : fh_heap_purge_chunk(heap, chunk, most);
        fh_heap_note_work(1, 0);
        chunks++;
    }
}

/* The next sweep, from now on at each free: for whole huge pages at first, where there are any. */
static void begin_sweep(struct fh_heap *heap, bool huge)
{
    heap->sweep_huge = huge;
    if (!huge) heap->splits = true;
    heap->sweep_bin = FH_BIN_COUNT;
    heap->return_at_bytes = 0;
}

static void end_sweep(struct fh_heap *heap)
{
    if (!heap->returning) return;
    if (!heap->sweep_huge) heap->left_bytes = free_in_memory(heap); /* between blocks on their pages */
    heap->return_at_bytes = sweep_at(heap);
    if (heap->sweep_huge && free_in_memory(heap) >= heap->return_at_bytes) begin_sweep(heap, false);
}

/*
 * Whether a heap should begin to give back: more is free than in use, and enough of it in whole pages. Small blocks
 * freed in no order leave hardly a page without a live one until nearly all are gone; splitting huge pages for these
 * few, and then touching the rest again, costs most of what giving back costs.
 */
static bool is_worth_it(struct fh_heap *heap)
{
    size_t pages = free_in_memory(heap), used = used_to_compare(heap);
    size_t has = fh_min(heap->free_bytes - heap->purged_bytes, PAGES_SHARE * pages);
    if (has >= used && pages >= WORTH_IT) return true;
    heap->return_at_bytes = pages + fh_max((used - fh_min(has, used)) / LOOK_SHARE, LOOK_LEAST);
    return false;
}

void fh_heap_look_around(struct fh_heap *heap)
{
    if (heap->sweep_bin) {
        sweep(heap);
        if (!heap->sweep_bin) end_sweep(heap);
        return;
    }
    if (!heap->segments || (!heap->returning && !is_worth_it(heap)) || !fh_gate_is_open(&heap->gate)) return;
    if (!heap->returning) heap->regretted_bytes = heap->left_bytes = 0;
    heap->returning = true;
    fh_count_add(&heap->return_epoch, 1);
    begin_sweep(heap, heap->has_huge);
}
