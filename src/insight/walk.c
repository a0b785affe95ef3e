/*
 * walk.c - every block, in address order.
 *
 * Layer: insight. Follows the page map: a page of a heap leads to its segment, which is walked chunk by chunk; a large
 * block and a slab that is a mapping are found by their own entries. Takes no locks: the caller sees to quiescence.
 */
#include "freehold.h"
#include "insight.h"

#include "core.h"
#include "large.h"
#include "pagemap.h"
#include "state.h"

struct walk {
    fh_walk_fn *visit;
    void *arg;
};

struct fh_segment *fh_segment_around(uintptr_t address, uint32_t *heap)
{
    for (uint32_t i = 0; i < fh_heaps_count(); i++)
        for (struct fh_segment *segment = fh_heaps_get(i)->segments; segment; segment = segment->next)
            if (fh_segment_holds(segment, (void *)address)) {
                *heap = i;
                return segment;
            }
    return NULL;
}

static int visit_slab(struct walk *walk, struct fh_slab *slab)
{
    struct fh_block block = {
        .address = (uintptr_t)slab + FH_SLAB_BOUNDARY_BYTES, /* as of any chunk: the last 8 bytes lie beyond the slab */
        .size_bytes = fh_slab_bytes(slab) - (slab->is_mapping ? FH_SLAB_BOUNDARY_BYTES : FH_CHUNK_TAG_BYTES),
        .kind = FH_BLOCK_SLAB,
        .state = FH_STATE_LIVE,
        .heap = slab->is_mapping ? UINT32_MAX : slab->heap,
        .owner = fh_slab_owner_id(slab),
    };
    int stop = walk->visit(&block, walk->arg);
    uint64_t listed[FH_SLAB_BITS_WORDS];
    fh_slab_listed_bits(slab, listed);
    block.kind = FH_BLOCK_SLAB_OBJECT;
    block.size_bytes = slab->class_bytes;
    for (uint32_t i = 0; i < slab->carved && !stop; i++) {
        void *object = fh_slab_object(slab, i);
        block.address = (uintptr_t)object;
        block.state = !fh_guard_is_marked(object) ? FH_STATE_LIVE : fh_bit(listed, i) ? FH_STATE_FREE : FH_STATE_CACHED;
        stop = walk->visit(&block, walk->arg);
    }
    return stop;
}

static int visit_chunk(struct walk *walk, struct fh_chunk *chunk, uint64_t content, uint32_t heap)
{
    void *payload = fh_chunk_payload(chunk);
    bool in_use = content & FH_CHUNK_IN_USE;
    if (in_use && (content & FH_CHUNK_SLAB) && fh_slab_is_sound(fh_slab_of_chunk(chunk)))
        return visit_slab(walk, fh_slab_of_chunk(chunk));
    struct fh_block block = {
        .address = (uintptr_t)payload,
        .size_bytes = fh_chunk_size(content) - FH_CHUNK_TAG_BYTES,
        .kind = FH_BLOCK_CHUNK,
        .heap = heap,
    };
    if (in_use) block.state = fh_guard_is_marked(payload) ? FH_STATE_CACHED : FH_STATE_LIVE;
    else block.state = content & FH_CHUNK_TOP ? FH_STATE_TOP : FH_STATE_FREE;
    return walk->visit(&block, walk->arg);
}

static int visit_segment(struct walk *walk, struct fh_segment *segment, uint32_t heap)
{
    struct fh_chunk *end = fh_segment_end(segment);
    for (struct fh_chunk *chunk = fh_segment_first(segment); chunk < end;) {
        size_t size = fh_chunk_size(fh_chunk_raw_tag(chunk) & FH_TAG_CONTENT);
        if (!fh_chunk_is_sound(chunk) || size < FH_CHUNK_LEAST) return 0; /* damage hides the rest of the segment */
        int stop = visit_chunk(walk, chunk, fh_chunk_read(chunk), heap);
        if (stop) return stop;
        chunk = fh_chunk_at(chunk, size);
    }
    return 0;
}

static int visit_large(struct walk *walk, uintptr_t page, uint32_t entry)
{
    void *pointer = fh_large_in_page(page, entry);
    if (!pointer) return 0;
    struct fh_block block = {
        .address = (uintptr_t)pointer,
        .size_bytes = fh_large_usable(pointer),
        .kind = FH_BLOCK_LARGE,
        .state = fh_guard_is_marked(pointer) ? FH_STATE_FREE : FH_STATE_LIVE,
        .heap = UINT32_MAX,
    };
    return walk->visit(&block, walk->arg);
}

FH_EXPORT int fh_walk(fh_walk_fn *visit, void *arg)
{
    struct walk walk = {visit, arg};
    fh_core_settle();
    int stop = 0;
    for (uintptr_t page = 0; !stop && (page = fh_pagemap_next(page)) != 0;) {
        uint32_t heap, entry = fh_pagemap_get((void *)page);
        struct fh_segment *segment = fh_segment_around(page, &heap);
        if (segment) {
            stop = visit_segment(&walk, segment, heap);
            page = (uintptr_t)segment + segment->size;
            continue;
        }
        if (fh_entry_kind(entry) == FH_PAGE_LARGE) stop = visit_large(&walk, page, entry);
        if (fh_entry_kind(entry) == FH_PAGE_SLAB && fh_slab_is_sound((void *)page)) {
            stop = visit_slab(&walk, (struct fh_slab *)page);
            page += (size_t)1 << FH_SLAB_SHIFT_MOST;
            continue;
        }
        page += FH_PAGEMAP_GRAIN;
    }
    return stop;
}
