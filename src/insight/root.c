/*
 * root.c - the root structure by which the heap is read from outside: freehold_image.h tells what its items mean.
 *
 * Layer: insight. Constant data: nothing of it is ever executed or written.
 */
#include "freehold.h"
#include "freehold_image.h"

#include "base.h"
#include "core.h"
#include "guard.h"
#include "large.h"
#include "options.h"
#include "pagemap.h"
#include "samples.h"
#include "sampling.h"
#include "state.h"
#include "wholesale.h"

#ifndef FH_GUARD_END
#define FH_GUARD_END NULL
#endif

#define ADDRESS(of) ((uintptr_t)(of))
#define FIELD(type, member)                                                                                            \
    {                                                                                                                  \
        offsetof(struct type, member), sizeof(((struct type *)0)->member)                                              \
    }

FH_STATIC_ASSERT(sizeof(FH_IMAGE_MAGIC) - 1 == FH_IMAGE_MAGIC_BYTES, "the magic fills its place");
FH_STATIC_ASSERT(sizeof(struct fh_chunk) == 24 && sizeof(((struct fh_heap *)0)->lock.word) == 8, "rules of the layout");

/* On a multiple of 16, for readers that search for it. */
FH_EXPORT FH_ALIGNED(16) const struct fh_image_root fh_root = {
    .magic = FH_IMAGE_MAGIC,
    .self = ADDRESS(&fh_root),
    .layout = FH_IMAGE_LAYOUT,
    .root_bytes = sizeof(struct fh_image_root),
    .version = FH_VERSION_MAJOR << 16 | FH_VERSION_MINOR << 8 | FH_VERSION_PATCH,

    .pagemap_root = ADDRESS(fh_pagemap_root),
    .heaps = ADDRESS(fh_heaps),
    .heap_bytes = sizeof(struct fh_heap),
    .heap_count = ADDRESS(&fh_heaps_in_use),
    .state_table = ADDRESS(&fh_state_table),
    .state_bytes = sizeof(struct fh_state),
    .wholesale = ADDRESS(&fh_wholesale),
    .large_counts = ADDRESS(&fh_large_counts),
    .transit_bytes = ADDRESS(&fh_transit_bytes),
    .transit_objects = ADDRESS(&fh_transit_objects),
    .secret = ADDRESS(&fh_guard.secret),
    .list_end = ADDRESS(FH_GUARD_END),
    .options = ADDRESS(&fh_options),
    .fork_has_torn = ADDRESS(&fh_fork_has_torn),
    .small_most = FH_SMALL_MOST,
    .cached_most = FH_SMALL_MOST,
    .segment_head_bytes = FH_SEGMENT_HEAD_BYTES,
    .segment_tail_bytes = FH_SEGMENT_TAIL_BYTES,
    .slab_extra_bytes = FH_SLAB_HEAD_BYTES,
    .slab_shift_reserve = FH_SLAB_SHIFT_MIDDLE,
    .class_bytes = sizeof(struct fh_slab_class),
    .bin_count = FH_BIN_COUNT,
    .bin_exact_limit = FH_BIN_EXACT_LIMIT,
    .bin_steps_shift = FH_BIN_STEPS_SHIFT,

    .state_table_first = FIELD(fh_state_table, first),
    .state_table_blocks = FIELD(fh_state_table, blocks),
    .state_table_id_end = FIELD(fh_state_table, id_end),
    .state_table_per_block = FIELD(fh_state_table, per_block),

    .heap_id = FIELD(fh_heap, id),
    .heap_lock = FIELD(fh_heap, lock.word),
    .heap_segments = FIELD(fh_heap, segments),
    .heap_growing = FIELD(fh_heap, growing),
    .heap_top = FIELD(fh_heap, top),
    .heap_fresh = FIELD(fh_heap, backed),
    .heap_mapped = FIELD(fh_heap, mapped),
    .heap_trim_at_bytes = FIELD(fh_heap, trim_at_bytes),
    .heap_handed_over = FIELD(fh_heap, handed_over),
    .heap_handed_over_bytes = FIELD(fh_heap, handed_over_bytes),
    .heap_total_bytes = FIELD(fh_heap, total_bytes),
    .heap_free_bytes = FIELD(fh_heap, free_bytes),
    .heap_purged_bytes = FIELD(fh_heap, purged_bytes),
    .heap_used_bytes = FIELD(fh_heap, used_bytes),
    .heap_used_chunks = FIELD(fh_heap, used_chunks),
    .heap_slab_bytes = FIELD(fh_heap, slab_bytes),
    .heap_slab_chunks = FIELD(fh_heap, slab_chunks),
    .heap_bin_summary = FIELD(fh_heap, bins.summary),
    .heap_bin_words = FIELD(fh_heap, bins.words[0]),
    .heap_bin_heads = FIELD(fh_heap, bins.heads[0]),

    .segment_next = FIELD(fh_segment, next),
    .segment_size = FIELD(fh_segment, size),
    .segment_is_break = FIELD(fh_segment, is_break),

    .slab_seal = FIELD(fh_slab, seal),
    .slab_entry = FIELD(fh_slab, entry),
    .slab_heap = FIELD(fh_slab, heap),
    .slab_shift = FIELD(fh_slab, shift),
    .slab_tail = FIELD(fh_slab, tail),
    .slab_is_mapping = FIELD(fh_slab, is_mapping),
    .slab_free = FIELD(fh_slab, free),
    .slab_free_count = FIELD(fh_slab, free_count),
    .slab_carved = FIELD(fh_slab, carved),
    .slab_capacity = FIELD(fh_slab, capacity),
    .slab_first = FIELD(fh_slab, first),
    .slab_class_bytes = FIELD(fh_slab, class_bytes),

    .state_id = FIELD(fh_state, id),
    .state_status = FIELD(fh_state, status),
    .state_thread = FIELD(fh_state, thread),
    .state_heap = FIELD(fh_state, heap),
    .state_inbox = FIELD(fh_state, inbox),
    .state_slab_bytes = FIELD(fh_state, slabs.counts.slab_bytes),
    .state_mapped_bytes = FIELD(fh_state, slabs.counts.mapped_bytes),
    .state_classes = FIELD(fh_state, slabs.classes[0]),
    .state_cached = FIELD(fh_state, published.cached[0]),
    .state_medium_bytes = FIELD(fh_state, published.medium_bytes),
    .state_medium_blocks = FIELD(fh_state, published.medium_blocks),
    .state_outgoing_bytes = FIELD(fh_state, published.outgoing_bytes),
    .state_outgoing_objects = FIELD(fh_state, published.outgoing_objects),

    .class_slabs = FIELD(fh_slab_class, slabs),
    .class_capacity = FIELD(fh_slab_class, capacity),
    .class_carved = FIELD(fh_slab_class, carved),
    .class_listed = FIELD(fh_slab_class, listed),

    .wholesale_obtained_bytes = FIELD(fh_wholesale, obtained_bytes),
    .wholesale_returned_bytes = FIELD(fh_wholesale, returned_bytes),
    .wholesale_pagemap_bytes = FIELD(fh_wholesale, pagemap_bytes),
    .wholesale_state_bytes = FIELD(fh_wholesale, state_bytes),
    .wholesale_stranded_bytes = FIELD(fh_wholesale, stranded_bytes),
    .wholesale_mappings = FIELD(fh_wholesale, mappings),

    .large_blocks = FIELD(fh_large_counts, blocks),
    .large_mapping_bytes = FIELD(fh_large_counts, mapping_bytes),
    .large_head_bytes = FIELD(fh_large_counts, head_bytes),
    .large_warm_blocks = FIELD(fh_large_counts, warm_blocks),
    .large_warm_bytes = FIELD(fh_large_counts, warm_bytes),

    .option_mmap_threshold = FIELD(fh_options, mmap_threshold),
    .option_trim_threshold = FIELD(fh_options, trim_threshold),
    .option_top_pad = FIELD(fh_options, top_pad),
    .option_arena_max = FIELD(fh_options, arena_max),
    .option_cache_bytes = FIELD(fh_options, cache_bytes),
    .option_medium_cache_bytes = FIELD(fh_options, medium_cache_bytes),

    .samples = ADDRESS(&fh_samples),
    .sample_mappings = ADDRESS(fh_samples_mappings),
    .sample_mapping_count = ADDRESS(&fh_samples_mapping_count),
    .cache_bins = FH_CACHE_BINS,
    .cache_bin_bytes = sizeof(struct fh_cache_bin),
    .cache_aside_bytes = FH_CACHE_ASIDE,
    .run_bytes = sizeof(struct fh_run),
    .state_cache_bins = FIELD(fh_state, cache.bins[0]),
    .cache_bin_head = FIELD(fh_cache_bin, head),
    .state_runs = FIELD(fh_state, runs[0]),
    .run_slab = FIELD(fh_run, slab),
    .run_length = FIELD(fh_run, bytes),
    .sampling_bytes = sizeof(struct fh_sampling),
    .state_sampling = FIELD(fh_state, sampling),
    .run_counted = FIELD(fh_run, counted),
    .heap_given_back_bytes = FIELD(fh_heap, given_back_bytes),
    .heap_taken_again_bytes = FIELD(fh_heap, taken_again_bytes),
    .wholesale_table_bytes = FIELD(fh_wholesale, table_bytes),
    .wholesale_obtain_calls = FIELD(fh_wholesale, obtain_calls),
    .wholesale_return_calls = FIELD(fh_wholesale, return_calls),
    .option_give_back = FIELD(fh_options, give_back),
    .heap_withheld_bytes = FIELD(fh_heap, withheld_bytes),
};
