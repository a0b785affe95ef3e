/*
 * image_regions.c - everything that the library has from the kernel: segments of heaps, large blocks, slabs that are
 * mappings, leaves of the page map, thread states. Each by its own record, sorted by address.
 */
#include "image_source.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROOT_ENTRIES = 65536,
    LEAF_BYTES = 4 << 20,
    LEAF_ENTRIES = LEAF_BYTES / 4,
    GRAIN = 4096,
    SEGMENTS_MOST = 1 << 20, /* of a heap: more is a list that runs in circles */
    HEAPS_MOST = 256, /* a slab names its own in a byte */
    STATES_MOST = 1 << 18,
    SLAB_MOST = 65536,
    SAMPLE_MAPPINGS_MOST = 4096
};

struct finder {
    struct fh_image *image;
    struct fh_region *regions;
    size_t count, room, segments;
};

static bool add_region(struct finder *finder, struct fh_region region)
{
    if (finder->count == finder->room) {
        size_t room = finder->room ? 2 * finder->room : 256;
        struct fh_region *larger = realloc(finder->regions, room * sizeof(*larger));
        if (!larger)
            return false;
        finder->regions = larger;
        finder->room = room;
    }
    finder->regions[finder->count++] = region;
    return true;
}

static int by_address(const void *a, const void *b)
{
    const struct fh_region *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static bool add_segments(struct finder *finder)
{
    struct fh_image *image = finder->image;
    const struct fh_image_root *root = &image->root;
    uint64_t heaps = fh_image_read_number(image, root->heap_count, 4);
    if (heaps > HEAPS_MOST)
        heaps = HEAPS_MOST;
    for (uint64_t i = 0; i < heaps; i++) {
        uint64_t heap = root->heaps + i * root->heap_bytes;
        uint64_t segment = fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_segments), 8);
        uint64_t growing = fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_growing), 8);
        for (int count = 0; segment && count < SEGMENTS_MOST; count++) {
            unsigned char record[64] = {0};
            if (!fh_image_read(image, segment, record, 32))
                break;
            uint64_t size = fh_image_field(record, root->segment_size);
            if (size < root->segment_head_bytes + root->segment_tail_bytes || size % 16 || size >> 47)
                break;
            bool added = add_region(finder, (struct fh_region){
                                                .start = segment,
                                                .bytes = size,
                                                .heap = (uint32_t)i,
                                                .kind = FH_REGION_SEGMENT,
                                                .is_break = fh_image_field(record, root->segment_is_break) != 0,
                                                .is_growing = segment == growing});
            if (!added)
                return false;
            uint64_t next = fh_image_field(record, root->segment_next);
            segment = next > segment ? next : 0; /* they are in address order */
        }
    }
    finder->segments = finder->count;
    if (finder->count)
        qsort(finder->regions, finder->count, sizeof(*finder->regions), by_address);
    return true;
}

/* The end of the segment around the address; 0 when there is none. Segments come first in the array, sorted. */
static uint64_t segment_end(const struct finder *finder, uint64_t address)
{
    size_t at = fh_first_above(finder->regions, finder->segments, sizeof(*finder->regions), address);
    const struct fh_region *segment = &finder->regions[at];
    return at < finder->segments && segment->start <= address ? segment->start + segment->bytes : 0;
}

/* A large block whose pointer is `at`, if the two tags in front of it hold; `bytes` are the 16 in front and the 16 at
 * the pointer. */
static bool is_large(struct finder *finder, uint64_t at, const unsigned char *bytes, struct fh_region *region)
{
    struct fh_image *image = finder->image;
    uint64_t offset = fh_word_at(bytes), size = fh_word_at(bytes + 8);
    if (!fh_is_sealed(image, offset, at - 16) || !fh_is_sealed(image, size, at - 8))
        return false;
    offset &= FH_TAG_CONTENT;
    size &= FH_TAG_CONTENT;
    if (offset > size || offset > at)
        return false;
    *region = (struct fh_region){.start = at - offset,
                                 .bytes = size,
                                 .pointer = at,
                                 .heap = UINT32_MAX,
                                 .kind = FH_REGION_LARGE,
                                 .is_free = fh_is_marked(image, bytes + 16, at)};
    return true;
}

static bool add_large(struct finder *finder, uint64_t page, uint32_t entry)
{
    unsigned char bytes[GRAIN / 2 + 32];
    struct fh_region region;
    bool at_start = entry & 1;
    uint64_t from = at_start ? page - 16 : page;
    fh_image_read(finder->image, from, bytes, at_start ? 32 : sizeof(bytes));
    if (at_start)
        return !is_large(finder, page, bytes, &region) || add_region(finder, region);
    for (size_t offset = 16; offset < GRAIN; offset *= 2) {
        if (is_large(finder, page + offset, bytes + offset - 16, &region))
            return add_region(finder, region);
    }
    return true;
}

static bool add_mapped_slab(struct finder *finder, uint64_t page, uint64_t *bytes)
{
    const struct fh_image_root *root = &finder->image->root;
    unsigned char record[128] = {0};
    *bytes = GRAIN;
    fh_image_read(finder->image, page, record, root->slab_extra_bytes < 128 ? root->slab_extra_bytes : 128);
    uint64_t shift = fh_image_field(record, root->slab_shift);
    if (!fh_is_sealed(finder->image, fh_image_field(record, root->slab_seal), page) || shift < 12 || shift > 16 ||
        !fh_image_field(record, root->slab_is_mapping))
        return true;
    *bytes = (uint64_t)1 << shift;
    return add_region(finder, (struct fh_region){
                                  .start = page, .bytes = *bytes, .heap = UINT32_MAX, .kind = FH_REGION_SLAB});
}

/* What a leaf names outside of segments. The leaf lies in the process, mostly untouched. */
static bool add_from_leaf(struct finder *finder, uint64_t leaf, uint64_t base)
{
    enum { PIECE = 1 << 16 };
    uint32_t *entries = malloc(PIECE);
    bool good = entries != NULL;
    uint64_t skip_to = 0;
    for (uint64_t at = 0; good && at < LEAF_BYTES; at += PIECE) {
        uint64_t piece_base = base + at / 4 * GRAIN;
        if (skip_to >= piece_base + (uint64_t)PIECE / 4 * GRAIN)
            continue;
        finder->image->source->read(finder->image, leaf + at, entries, PIECE);
        for (size_t i = 0; good && i < PIECE / 4; i++) {
            uint64_t page = piece_base + i * GRAIN, bytes;
            if (entries[i] == 0 || page < skip_to)
                continue;
            uint64_t end = segment_end(finder, page);
            if (end != 0) {
                skip_to = end;
            } else if (entries[i] >> 30 == 3) {
                good = add_large(finder, page, entries[i]);
            } else if (entries[i] >> 31 == 0) {
                good = add_mapped_slab(finder, page, &bytes);
                skip_to = page + bytes;
            }
        }
    }
    free(entries);
    return good;
}

static bool add_pagemap(struct finder *finder)
{
    struct fh_image *image = finder->image;
    size_t bytes = ROOT_ENTRIES * sizeof(uint64_t);
    uint64_t *leaves = malloc(bytes);
    bool good = leaves != NULL;
    if (good)
        image->source->read(image, image->root.pagemap_root, leaves, bytes);
    for (uint64_t i = 0; good && i < ROOT_ENTRIES; i++) {
        if (leaves[i] == 0)
            continue;
        struct fh_region leaf = {
            .start = leaves[i], .bytes = LEAF_BYTES, .heap = UINT32_MAX, .kind = FH_REGION_PAGEMAP};
        good = add_from_leaf(finder, leaves[i], i << 32) && add_region(finder, leaf);
    }
    free(leaves);
    return good;
}

uint64_t fh_image_state_end(struct fh_image *image)
{
    const struct fh_image_root *root = &image->root;
    uint64_t at = fh_image_read_number(image, FH_IMAGE_AT(root->state_table, root->state_table_id_end), 8);
    uint64_t end = fh_image_read_number(image, at, 4);
    return end < STATES_MOST ? end : STATES_MOST;
}

uint64_t fh_image_state_at(struct fh_image *image, uint64_t id)
{
    const struct fh_image_root *root = &image->root;
    uint64_t table = root->state_table;
    if (id <= 1)
        return id ? fh_image_read_number(image, FH_IMAGE_AT(table, root->state_table_first), 8) : 0;
    uint64_t each = fh_image_read_number(image, FH_IMAGE_AT(table, root->state_table_per_block), 4);
    uint64_t blocks = fh_image_read_number(image, FH_IMAGE_AT(table, root->state_table_blocks), 8);
    if (each == 0 || blocks == 0)
        return 0;
    uint64_t block = fh_image_read_number(image, blocks + (id - 2) / each * 8, 8);
    return block ? block + (id - 2) % each * root->state_bytes : 0;
}

/* What a profile keeps of each state, in a mapping of its own. */
static bool add_samplings(struct finder *finder, uint64_t end)
{
    struct fh_image *image = finder->image;
    const struct fh_image_root *root = &image->root;
    uint64_t page = image->about.page_bytes, bytes = (root->sampling_bytes + page - 1) & ~(page - 1);
    for (uint64_t id = 1; root->sampling_bytes && id < end; id++) {
        uint64_t state = fh_image_state_at(image, id);
        uint64_t at = state ? fh_image_read_number(image, FH_IMAGE_AT(state, root->state_sampling), 8) : 0;
        struct fh_region region = {.start = at, .bytes = bytes, .heap = UINT32_MAX, .kind = FH_REGION_STATES};
        if (at && !add_region(finder, region))
            return false;
    }
    return true;
}

static bool add_states(struct finder *finder)
{
    struct fh_image *image = finder->image;
    const struct fh_image_root *root = &image->root;
    uint64_t each = fh_image_read_number(image, FH_IMAGE_AT(root->state_table, root->state_table_per_block), 4);
    uint64_t end = fh_image_state_end(image);
    if (each == 0 || each > STATES_MOST)
        return true;
    uint64_t bytes = (each * root->state_bytes + 65535) & ~(uint64_t)65535;
    for (uint64_t id = 2; id < end; id += each) {
        uint64_t block = fh_image_state_at(image, id);
        struct fh_region region = {.start = block, .bytes = bytes, .heap = UINT32_MAX, .kind = FH_REGION_STATES};
        if (block && !add_region(finder, region))
            return false;
    }
    return add_samplings(finder, end);
}

static bool add_samples(struct finder *finder)
{
    struct fh_image *image = finder->image;
    const struct fh_image_root *root = &image->root;
    uint64_t count = fh_image_read_number(image, root->sample_mapping_count, 4);
    for (uint64_t i = 0; i < count && i < SAMPLE_MAPPINGS_MOST; i++) {
        uint64_t mapping[2] = {0};
        fh_image_read(image, root->sample_mappings + i * sizeof(mapping), mapping, sizeof(mapping));
        struct fh_region region = {
            .start = mapping[0], .bytes = mapping[1], .heap = UINT32_MAX, .kind = FH_REGION_SAMPLES};
        if (mapping[0] && mapping[1] >> 47 == 0 && !add_region(finder, region))
            return false;
    }
    return true;
}

const struct fh_region *fh_image_regions(struct fh_image *image, size_t *count)
{
    struct finder finder = {.image = image};
    bool good = image->about.has_root && add_segments(&finder) && add_pagemap(&finder) && add_states(&finder) &&
                add_samples(&finder);
    free(image->regions);
    image->regions = NULL;
    image->region_count = *count = 0;
    if (!good) {
        free(finder.regions);
        return NULL;
    }
    if (finder.count)
        qsort(finder.regions, finder.count, sizeof(*finder.regions), by_address);
    image->regions = finder.regions;
    image->region_count = *count = finder.count;
    return finder.regions;
}
