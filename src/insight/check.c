/*
 * check.c - the validators: one for each invariant of ARCHITECTURE.md.
 *
 * Layer: insight. Reads only, follows nothing that it has not checked, and goes on after a violation where it can.
 */
#include "freehold.h"
#include "insight.h"

#include "core.h"
#include "format.h"
#include "large.h"
#include "os.h"
#include "pagemap.h"
#include "sampling.h"
#include "state.h"
#include "wholesale.h"

struct check {
    fh_check_fn *report;
    void *arg;
    size_t violations;
    struct { /* sums over the slabs that were seen */
        size_t bytes, carved, capacity, listed;
    } slabs;
    size_t marked_objects; /* of slabs, not on a slab's own list: cached or on their way */
};

static void violated(struct check *check, const char *invariant, const void *address, const char *text)
{
    check->violations++;
    if (check->report) check->report(invariant, (uintptr_t)address, text, check->arg);
}

/* P1: each page of the range has this entry. */
static void check_pages(struct check *check, const void *start, size_t size, uint32_t entry)
{
    uintptr_t end = (uintptr_t)start + size;
    for (uintptr_t page = fh_align_down((uintptr_t)start, FH_PAGEMAP_GRAIN); page < end; page += FH_PAGEMAP_GRAIN)
        if (fh_pagemap_get((void *)page) != entry) {
            violated(check, "P1", (void *)page, "page map entry is not what the page is");
            return;
        }
}

/* S1, S2: the slab's own list, and what its objects say of themselves. */
static void check_slab(struct check *check, struct fh_slab *slab)
{
    if (!fh_slab_is_sound(slab)) {
        violated(check, "S1", slab, "slab header is damaged");
        return;
    }
    uint64_t listed[FH_SLAB_BITS_WORDS];
    if (!fh_slab_listed_bits(slab, listed))
        violated(check, "S2", slab, "free list leaves the slab, is off an object boundary, repeats, or is miscounted");
    uint32_t marked = 0;
    for (uint32_t i = 0; i < slab->carved; i++) {
        bool is_marked = fh_guard_is_marked(fh_slab_object(slab, i));
        if (fh_bit(listed, i) && !is_marked)
            violated(check, "S1", fh_slab_object(slab, i), "object on the free list is not marked as free");
        marked += is_marked;
    }
    check->slabs.bytes += fh_slab_bytes(slab);
    check->slabs.carved += (size_t)slab->carved * slab->class_bytes;
    check->slabs.capacity += (size_t)slab->capacity * slab->class_bytes;
    check->slabs.listed += (size_t)slab->free_count * slab->class_bytes;
    if (marked < slab->free_count) violated(check, "S1", slab, "carved is less than live + cached + free");
    else check->marked_objects += marked - slab->free_count;
    check_pages(check, slab, fh_slab_span(slab), slab->entry);
}

/* H2, H3 for one chunk, given what came before it; returns whether it is in use. */
static bool check_chunk(struct check *check, struct fh_chunk *chunk, uint64_t content, bool previous_in_use)
{
    bool in_use = content & FH_CHUNK_IN_USE;
    size_t size = fh_chunk_size(content);
    if (!!(content & FH_CHUNK_PREVIOUS_IN_USE) != previous_in_use)
        violated(check, "H2", chunk, "flag 'previous in use' differs from the chunk below");
    if (!in_use && !previous_in_use) violated(check, "H3", chunk, "two free chunks are neighbours");
    if (!in_use && !(content & FH_CHUNK_TOP)) {
        uint64_t *footer = fh_chunk_footer(chunk, size);
        if (!fh_guard_is_sealed(*footer, (uintptr_t)footer) || (*footer & FH_TAG_CONTENT) != size)
            violated(check, "H2", chunk, "footer of a free chunk differs from its size");
    }
    return in_use;
}

/* What a free chunk says of its purged pages lies within its whole pages; how many bytes. */
static size_t check_span(struct check *check, const struct fh_chunk *chunk, uint64_t content)
{
    if (!(content & FH_CHUNK_PURGED)) return 0;
    struct fh_span inner = fh_chunk_inner_pages(chunk, fh_chunk_size(content)), span = {0, 0};
    if (fh_span_bytes(inner)) span = fh_chunk_span(chunk, content);
    if (!fh_span_bytes(span) || span.from < inner.from || span.to > inner.to)
        violated(check, "H2", chunk, "purged pages of a free chunk are not within it");
    return fh_span_bytes(span);
}

struct segment_sums {
    size_t free_chunks, free_bytes, page_bytes, purged_bytes, used_chunks, used_bytes, slab_chunks;
};

static void check_segment(struct check *check, struct fh_heap *heap, struct fh_segment *segment,
                          struct segment_sums *sums)
{
    struct fh_chunk *end = fh_segment_end(segment), *chunk = fh_segment_first(segment);
    bool previous_in_use = true, saw_top = false;
    char *known_to = segment == heap->growing ? heap->mapped : (char *)segment + segment->size;
    while (chunk < end) {
        uint64_t content = fh_chunk_raw_tag(chunk) & FH_TAG_CONTENT;
        size_t size = fh_chunk_size(content);
        if (!fh_chunk_is_sound(chunk) || size < FH_CHUNK_LEAST || size > (size_t)((char *)end - (char *)chunk)) {
            violated(check, "H1", chunk, "chunk does not tile the heap");
            return;
        }
        previous_in_use = check_chunk(check, chunk, content, previous_in_use);
        saw_top = !previous_in_use && (content & FH_CHUNK_TOP);
        if (saw_top != (chunk == heap->top)) violated(check, "H5", chunk, "top is not where the heap says");
        bool handed_over = previous_in_use && fh_guard_is_marked(fh_chunk_payload(chunk)); /* no slab any more */
        if (previous_in_use && (content & FH_CHUNK_SLAB) && !handed_over) {
            sums->slab_chunks++;
            check_slab(check, fh_slab_of_chunk(chunk));
        } else if (!saw_top) {
            char *page = (char *)fh_align_down((uintptr_t)chunk, FH_PAGEMAP_GRAIN);
            bool shared = page > (char *)segment && fh_entry_kind(fh_pagemap_get(page)) == FH_PAGE_SLAB;
            char *from = shared ? page + FH_PAGEMAP_GRAIN : (char *)chunk; /* its tag lies in the slab's last page */
            char *to = (char *)fh_align_down((uintptr_t)chunk + size, FH_PAGEMAP_GRAIN);
            if (to > known_to) to = known_to;
            if (from < to) check_pages(check, from, (size_t)(to - from), fh_entry_of_heap(heap->id));
        }
        if (previous_in_use) {
            sums->used_chunks++;
            sums->used_bytes += size;
        } else if (!saw_top) {
            sums->free_chunks++;
            sums->free_bytes += size;
            sums->page_bytes += fh_chunk_pages_at_most(size);
            sums->purged_bytes += check_span(check, chunk, content);
        }
        chunk = fh_chunk_at(chunk, size);
    }
    if (chunk != end) violated(check, "H1", chunk, "last chunk passes the end of its segment");
    if (saw_top != (segment == heap->growing)) violated(check, "H5", end, "top does not end where the source ends");
}

/* H4 of bins whose chunks may have pages to give: those that have none any more come last, and the last is known. */
static bool is_out_of_order(const struct fh_chunk *chunk, const struct fh_chunk *before)
{
    return before && (fh_chunk_raw_tag(before) & FH_CHUNK_PURGED) && !fh_chunk_dirty_bytes(before) &&
           fh_chunk_dirty_bytes(chunk);
}

/* H4: what is in the bins is free, in the right bin, linked both ways; and the bitmaps tell which bins are filled. */
static void check_bins(struct check *check, const struct fh_heap *heap, size_t *chunks, size_t *bytes)
{
    const struct fh_bins *bins = &heap->bins;
    *chunks = *bytes = 0;
    for (unsigned i = 0; i < FH_BIN_COUNT; i++) {
        bool filled = bins->words[i / 64] >> i % 64 & 1;
        if (filled != (bins->heads[i] != NULL)) violated(check, "H4", bins->heads[i], "bitmap and bin disagree");
        const struct fh_chunk *before = NULL;
        struct fh_chunk *chunk = bins->heads[i];
        for (struct fh_chunk *next, *previous; chunk; before = chunk, chunk = next) {
            uint64_t content = fh_chunk_raw_tag(chunk) & FH_TAG_CONTENT;
            if (!fh_chunk_is_sound(chunk) || (content & (FH_CHUNK_IN_USE | FH_CHUNK_TOP)) ||
                fh_bins_index(fh_chunk_size(content)) != i || !fh_bins_peek(chunk, &next, &previous) ||
                previous != before) {
                violated(check, "H4", chunk, "chunk in a bin is not free, is in the wrong bin, or is badly linked");
                break;
            }
            if (i >= FH_BIN_PAGES_FIRST && is_out_of_order(chunk, before))
                violated(check, "H4", chunk, "chunk with pages to give stands behind one that has given all of its");
            ++*chunks;
            *bytes += fh_chunk_size(content);
        }
        if (i >= FH_BIN_PAGES_FIRST && !chunk && bins->lasts[i - FH_BIN_PAGES_FIRST] != before)
            violated(check, "H4", before, "the last chunk of a bin is not the one that the heap knows");
    }
    for (unsigned w = 0; w < FH_BIN_WORDS; w++)
        if ((bins->summary >> w & 1) != (bins->words[w] != 0))
            violated(check, "H4", &bins->words[w], "summary is wrong");
}

static void check_heap(struct check *check, struct fh_heap *heap)
{
    struct segment_sums sums = {0};
    size_t total = 0, binned_chunks, binned_bytes;
    for (struct fh_segment *segment = heap->segments; segment; segment = segment->next) {
        total += segment->size;
        check_segment(check, heap, segment, &sums);
    }
    if (check->violations) return; /* sums over a damaged heap say nothing */
    check_bins(check, heap, &binned_chunks, &binned_bytes);
    if (binned_chunks != sums.free_chunks || binned_bytes != sums.free_bytes)
        violated(check, "H4", heap, "a free chunk is in no bin, or in two");
    if (total != heap->total_bytes || sums.free_bytes != heap->free_bytes || sums.used_bytes != heap->used_bytes ||
        sums.used_chunks != heap->used_chunks || sums.purged_bytes != heap->purged_bytes ||
        sums.page_bytes != heap->page_bytes)
        violated(check, "A1", heap, "the heap's counters differ from its chunks");
    /* A slab that was handed over is flagged still, and counted no more, until the next holder of the lock frees it. */
    if (sums.slab_chunks != heap->slab_chunks && !fh_load_relaxed(&heap->handed_over))
        violated(check, "A1", heap, "the count of slabs differs from the heap");
}

/* S3: what leaves goes when it is empty. */
static void check_leaving(struct check *check, struct fh_list *leaving)
{
    for (struct fh_list *link = leaving->next; link != leaving; link = link->next) {
        struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
        if (fh_slab_is_empty(slab)) violated(check, "S3", slab, "an empty slab that was leaving is kept");
        if (!slab->is_leaving) violated(check, "S1", slab, "a slab is on the list of those that leave, and does not");
    }
}

/* S3: at most one empty slab of a class and owner, and not a large one. */
static void check_reserves(struct check *check, struct fh_state *state)
{
    FH_EACH_CLASS(size) {
        struct fh_list *usable = &fh_slab_class_of(&state->slabs, size)->usable;
        unsigned empty = 0;
        for (struct fh_list *link = usable->next; link != usable; link = link->next) {
            struct fh_slab *slab = FH_CONTAINER(link, struct fh_slab, link);
            if (!fh_slab_is_empty(slab)) continue;
            if (++empty > 1 || slab->shift > FH_SLAB_SHIFT_MIDDLE)
                violated(check, "S3", slab, "an empty slab is kept beyond the reserve");
        }
        check_leaving(check, &state->moves.leaving[size / FH_ALIGNMENT]);
    }
}

/* S1, S2 for the caller's own cache; other threads' caches are theirs to touch. */
static bool is_cacheable(const void *block, size_t class_bytes)
{
    uint32_t entry = fh_pagemap_get(block);
    return fh_entry_kind(entry) == FH_PAGE_SLAB && (entry & FH_ENTRY_SIZE_MASK) == class_bytes &&
           fh_is_block_start(block, fh_block_magic((uint32_t)class_bytes));
}

static void check_cache_bin(struct check *check, const struct fh_cache_bin *bin, size_t class_bytes,
                            size_t capacity_bytes)
{
    int32_t expected = fh_cache_capacity(class_bytes, capacity_bytes) - bin->room;
    for (void *block = bin->head; block; expected--) {
        if (!is_cacheable(block, class_bytes) || expected <= 0 || !fh_guard_follow(block, &block)) {
            violated(check, "S2", block, "cached block is not an object of this class, or is damaged");
            return;
        }
    }
    if (expected != 0) violated(check, "S1", bin, "the cache holds another number of blocks than it counts");
}

static void check_cache(struct check *check, struct fh_state *state)
{
    FH_EACH_CLASS(size) {
        check_cache_bin(check, fh_cache_bin_of(&state->cache, size), size, state->cache_bytes);
        if (fh_state_is_sampled(state))
            check_cache_bin(check, fh_cache_free_bin(&state->cache, size), size, state->sampling->capacity_bytes);
    }
}

/* A1, and S1 summed over all slabs, which is possible only while no other thread runs: what a running one has taken
 * since its last slow step is known to itself alone. */
static void check_account(struct check *check)
{
    struct fh_account account;
    fh_account_read(&account);
    size_t sum = account.live_bytes + account.rounding_bytes + account.cached_bytes + account.free_bytes +
                 account.untouched_bytes + account.metadata_bytes;
    if (sum != account.obtained_bytes - account.returned_bytes)
        violated(check, "A1", NULL, "the account does not add up to what the kernel gave");
    if (account.threads > 1 || fh_load_relaxed(&fh_fork_has_torn)) return;
    size_t cached = fh_load_relaxed(&fh_transit_objects), bytes = 0, carved = 0, capacity = 0, listed = 0;
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        if (!state) continue;
        cached += fh_load_relaxed(&state->published.outgoing_objects);
        bytes += fh_load_relaxed(&state->slabs.counts.slab_bytes);
        for (size_t i = 0; i < FH_CLASS_COUNT; i++) {
            const struct fh_slab_class *class = &state->slabs.classes[i];
            cached += fh_load_relaxed(&state->published.cached[i]);
            carved += fh_load_relaxed(&class->carved) * i * FH_ALIGNMENT;
            capacity += fh_load_relaxed(&class->capacity) * i * FH_ALIGNMENT;
            listed += fh_load_relaxed(&class->listed) * i * FH_ALIGNMENT;
        }
    }
    if (bytes != check->slabs.bytes || carved != check->slabs.carved || capacity != check->slabs.capacity ||
        listed != check->slabs.listed)
        violated(check, "A1", NULL, "the owners' counters differ from their slabs");
    if (cached != check->marked_objects)
        violated(check, "S1", NULL, "carved is not live + cached + on the way + free, over all slabs");
}

static void check_mappings(struct check *check)
{
    for (uintptr_t page = 0; (page = fh_pagemap_next(page)) != 0;) {
        uint32_t heap, entry = fh_pagemap_get((void *)page);
        struct fh_segment *segment = fh_segment_around(page, &heap);
        if (segment) {
            page = (uintptr_t)segment + segment->size;
            continue;
        }
        if (fh_entry_kind(entry) == FH_PAGE_SLAB) {
            check_slab(check, (struct fh_slab *)page);
            page += ((size_t)1 << FH_SLAB_SHIFT_MOST) - FH_PAGEMAP_GRAIN;
        } else if (fh_entry_kind(entry) == FH_PAGE_HEAP && !fh_load_relaxed(&fh_fork_has_torn)) {
            violated(check, "P1", (void *)page, "page map names a heap where there is none");
        }
        page += FH_PAGEMAP_GRAIN;
    }
}

FH_EXPORT size_t fh_check(fh_check_fn *report, void *arg)
{
    struct check check = {.report = report, .arg = arg};
    fh_core_settle();
    struct fh_state *own = fh_state_attached();
    for (uint32_t i = 0; i < fh_heaps_count(); i++) check_heap(&check, fh_heaps_get(i));
    check_mappings(&check);
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        uint32_t status = state ? fh_load_acquire(&state->status) : FH_STATE_UNUSED;
        if (state == own || status == FH_STATE_ABANDONED) {
            if (state) check_reserves(&check, state);
        }
    }
    if (own) check_cache(&check, own);
    if (check.violations == 0) check_account(&check);
    return check.violations;
}

static void complain(const char *invariant, uintptr_t address, const char *text, void *arg)
{
    (void)arg;
    char line[200];
    struct fh_text out;
    fh_text_init(&out, line, sizeof line);
    fh_text_add(&out, "freehold: invariant ");
    fh_text_add(&out, invariant);
    fh_text_add(&out, " does not hold at ");
    fh_text_add_hex(&out, address);
    fh_text_add(&out, ": ");
    fh_text_add(&out, text);
    fh_text_end_line(&out);
    fh_os_complain(line, out.length);
}

/* Whether another thread may be inside the allocator: nothing that it is changing could be judged. */
static bool others_run(void)
{
    if (fh_load_relaxed(&fh_fork_torn_states)) fh_fork_settle(); /* threads of the parent do not run here */
    struct fh_state *own = fh_state_attached();
    for (uint32_t id = 1; id < fh_state_id_end(); id++) {
        struct fh_state *state = fh_state_by_id(id);
        uint32_t status = state ? fh_load_acquire(&state->status) : FH_STATE_UNUSED;
        if (state != own && status != FH_STATE_UNUSED && status != FH_STATE_ABANDONED) return true;
    }
    return false;
}

void fh_check_or_abort(void)
{
    if (others_run()) {
        static const char line[] = "freehold: check at exit left out: other threads still run\n";
        fh_os_complain(line, sizeof line - 1);
        return;
    }
    if (fh_check(complain, NULL)) fh_os_abort();
}
