/*
 * image_check.c - every invariant of ARCHITECTURE.md, from outside: one walk over the heap, in the course of which
 * chunks are compared with their neighbours, slabs with their objects, and pages with the page map; then what was seen
 * with what bins, threads and counters say.
 */
#include "image_check.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 8, GRAIN = 4096 };

void fh_check_violated(struct fh_check *check, const char *invariant, uint64_t address, const char *text)
{
    check->violations++;
    check->report(invariant, address, text, check->arg);
}

/* --- H1, H2, H3, H5: chunks --- */

static void end_segment(struct fh_check *check)
{
    if (check->segment_end == 0)
        return;
    if (check->expected != check->segment_end)
        fh_check_violated(check, "H1", check->expected, "chunks do not reach the end of their segment");
    if (check->previous_is_known && check->saw_top != check->is_growing)
        fh_check_violated(check, "H5", check->segment_end, "top does not end where the source ends");
    check->segment_end = 0;
}

static void begin_segment(struct fh_check *check, const struct fh_region *region)
{
    const struct fh_image_root *root = &check->image->root;
    check->segment_start = region->start;
    check->segment_end = region->start + region->bytes - root->segment_tail_bytes;
    check->expected = region->start + root->segment_head_bytes;
    check->heap = region->heap;
    check->is_growing = region->is_growing;
    check->previous_in_use = check->previous_is_known = true;
    check->saw_top = false;
    if (region->heap < FH_CHECK_HEAPS_MOST)
        check->heaps[region->heap].total_bytes += region->bytes;
}

/* A chunk, whatever it is: against what came before it. Its tag's content. */
static uint64_t next_chunk(struct fh_check *check, uint64_t at, const unsigned char *bytes)
{
    uint64_t content = fh_word_at(bytes) & FH_TAG_CONTENT;
    bool in_use = content & FH_TAG_IN_USE;
    if (at != check->expected)
        fh_check_violated(check, "H1", check->expected, "chunk does not tile the heap");
    if (check->previous_is_known) {
        if (!!(content & FH_TAG_PREVIOUS_IN_USE) != check->previous_in_use)
            fh_check_violated(check, "H2", at, "flag 'previous in use' differs from the chunk below");
        if (!in_use && !check->previous_in_use)
            fh_check_violated(check, "H3", at, "two free chunks are neighbours");
    }
    check->saw_top = !in_use && (content & FH_TAG_TOP);
    struct fh_check_heap *heap = &check->heaps[check->heap];
    if (check->saw_top != (at == heap->top))
        fh_check_violated(check, "H5", at, "top is not where the heap says");
    check->expected = at + FH_TAG_SIZE(content);
    check->previous_in_use = in_use;
    check->previous_is_known = true;
    if (in_use) {
        heap->used_chunks++;
        heap->used_bytes += FH_TAG_SIZE(content);
    }
    return content;
}

static void check_footer(struct fh_check *check, uint64_t chunk, uint64_t size)
{
    uint64_t footer = chunk + size - WORD;
    const unsigned char *bytes = fh_image_view(check->image, footer, WORD);
    if (!bytes || fh_word_at(bytes) != fh_seal_of(check->image, size, footer))
        fh_check_violated(check, "H2", chunk, "footer of a free chunk differs from its size");
}

static void check_free_chunk(struct fh_check *check, const struct fh_image_chunk *chunk, const unsigned char *bytes)
{
    enum { PURGED_RECORD = 40 };
    struct fh_check_heap *heap = &check->heaps[check->heap];
    heap->free_chunks++;
    heap->free_bytes += chunk->bytes;
    if (!fh_check_note_free(check, chunk->start, chunk->bytes, check->heap, bytes))
        check->out_of_memory = true;
    if (chunk->purged) {
        uint64_t page = check->image->about.page_bytes;
        uint64_t from = (chunk->start + PURGED_RECORD + page - 1) & ~(page - 1);
        uint64_t to = (chunk->start + chunk->bytes - WORD) & ~(page - 1);
        if (chunk->purged_from < from || chunk->purged_to > to || chunk->purged_from >= chunk->purged_to)
            fh_check_violated(check, "H2", chunk->start, "purged pages of a free chunk are not within it");
        heap->purged_bytes += chunk->purged_to - chunk->purged_from;
    }
    check_footer(check, chunk->start, chunk->bytes);
}

/* P1 for a chunk that is no slab: pages that it shares with a slab below are that one's. */
static void check_chunk_pages(struct fh_check *check, uint64_t start, uint64_t bytes)
{
    uint64_t page = start & ~(uint64_t)(GRAIN - 1), end = (start + bytes) & ~(uint64_t)(GRAIN - 1), from = page;
    uint32_t entry = fh_check_entry_at(check, page);
    if (page > check->segment_start && entry != 0 && entry >> 31 == 0)
        from = page + GRAIN;
    if (check->is_growing && end > check->heaps[check->heap].mapped)
        end = check->heaps[check->heap].mapped;
    if (from < end)
        fh_check_entries(check, from, end, 0x80000001u | check->heap << 12);
}

static void on_chunk(struct fh_image *image, const struct fh_region *region, const struct fh_image_chunk *chunk,
                     void *arg)
{
    struct fh_check *check = arg;
    (void)region;
    const unsigned char *bytes = fh_image_view(image, chunk->start, 32);
    if (!bytes)
        return;
    next_chunk(check, chunk->start, bytes);
    if (chunk->is == FH_IS_FREE)
        check_free_chunk(check, chunk, bytes);
    if (chunk->is != FH_IS_TOP)
        check_chunk_pages(check, chunk->start, chunk->bytes);
}

/* --- S1, S2, S3: slabs --- */

static void count_empty(struct fh_check *check, const struct fh_image_slab *slab, uint64_t whole)
{
    if (slab->live_count + slab->cached_count != 0 || slab->owner >= check->owner_end)
        return;
    uint64_t *bits = &check->empty_classes[slab->owner].bits[slab->class_bytes / 16 / 64];
    uint64_t bit = (uint64_t)1 << slab->class_bytes / 16 % 64;
    if ((*bits & bit) || whole > (uint64_t)1 << check->image->root.slab_shift_reserve)
        fh_check_violated(check, "S3", slab->start, "an empty slab is kept beyond the reserve");
    *bits |= bit;
}

static void on_slab(struct fh_image *image, const struct fh_region *region, const struct fh_image_slab *slab, void *arg)
{
    enum { BOUNDARY = 16 };
    struct fh_check *check = arg;
    const unsigned char *bytes = fh_image_view(image, slab->start, 4096);
    uint64_t whole = (slab->bytes + GRAIN - 1) & ~(uint64_t)(GRAIN - 1);
    if (!bytes)
        return;
    if (region->kind == FH_REGION_SEGMENT) {
        next_chunk(check, slab->start + BOUNDARY - FH_CHECK_TAG_BYTES, bytes + BOUNDARY - FH_CHECK_TAG_BYTES);
        check->heaps[check->heap].slab_chunks++;
    }
    uint64_t listed = fh_image_field(bytes, image->root.slab_free_count);
    if (!slab->list_is_sound)
        fh_check_violated(check, "S2", slab->start,
                          "free list leaves the slab, repeats, or is miscounted");
    else if (listed > slab->carved || slab->free_count < listed)
        fh_check_violated(check, "S1", slab->start, "carved is less than live + cached + free");
    check->slabs.bytes += slab->bytes;
    check->slabs.carved += (uint64_t)slab->carved * slab->class_bytes;
    check->slabs.capacity += (uint64_t)slab->capacity * slab->class_bytes;
    check->slabs.listed += listed * slab->class_bytes;
    check->slabs.cached_objects += slab->cached_count;
    count_empty(check, slab, whole);
    fh_check_entries(check, slab->start, slab->start + whole, slab->owner << 12 | slab->class_bytes);
}

/* What the walk could make nothing of: a slab whose head is damaged, or no chunk. */
static void on_gap(struct fh_image *image, const struct fh_region *region, uint64_t start, uint64_t bytes, void *arg)
{
    struct fh_check *check = arg;
    uint64_t tag = fh_image_read_number(image, start, WORD), content = tag & FH_TAG_CONTENT;
    const uint64_t slab_flags = FH_TAG_IN_USE | FH_TAG_SLAB;
    if (region->kind == FH_REGION_SEGMENT && fh_is_sealed(image, tag, start) && FH_TAG_SIZE(content) == bytes &&
        (content & slab_flags) == slab_flags) {
        unsigned char words[WORD];
        memcpy(words, &tag, WORD);
        next_chunk(check, start, words);
        check->heaps[check->heap].slab_chunks++;
        fh_check_violated(check, "S1", start, "slab header is damaged");
        return;
    }
    if (region->kind == FH_REGION_SLAB) {
        fh_check_violated(check, "S1", start, "slab header is damaged");
        return;
    }
    fh_check_violated(check, "H1", start, "chunk does not tile the heap");
    check->expected = start + bytes;
    check->previous_is_known = false;
}

static void on_region(struct fh_image *image, const struct fh_region *region, void *arg)
{
    struct fh_check *check = arg;
    (void)image;
    end_segment(check);
    check->large.all_bytes += region->bytes;
    if (region->kind == FH_REGION_SEGMENT && region->heap < FH_CHECK_HEAPS_MOST) {
        begin_segment(check, region);
    } else if (region->kind == FH_REGION_LARGE && region->is_free) {
        check->large.warm_blocks++;
        check->large.warm_bytes += region->bytes;
    } else if (region->kind == FH_REGION_LARGE) {
        check->large.blocks++;
        check->large.mapping_bytes += region->bytes;
        check->large.head_bytes += region->pointer - region->start;
    }
}

static bool prepare(struct fh_check *check)
{
    struct fh_image *image = check->image;
    const struct fh_image_root *root = &image->root;
    check->heap_count = fh_image_read_number(image, root->heap_count, 4);
    if (check->heap_count > FH_CHECK_HEAPS_MOST)
        check->heap_count = FH_CHECK_HEAPS_MOST;
    for (uint64_t i = 0; i < check->heap_count; i++) {
        uint64_t heap = root->heaps + i * root->heap_bytes;
        check->heaps[i].top = fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_top), 8);
        check->heaps[i].mapped = fh_image_read_number(image, FH_IMAGE_AT(heap, root->heap_mapped), 8);
    }
    check->is_torn = fh_image_read_number(image, root->fork_has_torn, 4) != 0;
    check->owner_end = fh_image_state_end(image);
    check->empty_classes = calloc(check->owner_end + 1, sizeof(*check->empty_classes));
    check->free.links = calloc((check->heap_count + 1) * (root->bin_count + 1), sizeof(*check->free.links));
    return check->empty_classes && check->free.links;
}

bool fh_image_check(struct fh_image *image, const char *verb, fh_image_violation_fn *report, void *arg, uint64_t *count)
{
    struct fh_check *check = calloc(1, sizeof(*check));
    bool good = check != NULL;
    if (good) {
        check->image = image;
        check->report = report;
        check->arg = arg;
        const struct fh_image_walker walker = {check, on_region, on_chunk, on_slab, on_gap, verb};
        good = prepare(check) && fh_image_walk(image, &walker);
        end_segment(check);
    }
    if (good) {
        bool tiles = check->violations == 0; /* else sums say nothing */
        fh_check_bins(check);
        fh_check_whole_map(check);
        fh_check_owners(check);
        if (tiles && check->violations == 0)
            fh_check_account(check);
        good = !check->out_of_memory && !image->has_ended;
    }
    if (check) {
        *count = check->violations;
        free(check->empty_classes);
        free(check->free.links);
        free(check->free.places);
        free(check->free.nexts);
        free(check->pages.entries);
    }
    free(check);
    return good;
}
